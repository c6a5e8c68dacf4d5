#include <criterion/criterion.h>

#include "core/crypto_text.h"
#include "core/email_message.h"
#include "core/outcome.h"
#include "core/sms_message.h"
#include "core/sms_status.h"
#include "core/webhook_message.h"
#include "notice_sample.h"

/* --- SMS --- */

static void check_form(const struct sms_sender *sender, const struct notice *notice, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 0);
    sms_form_build(&out, sender, notice, SAMPLE_NOW_MS);
    cr_assert_str_eq(out.data, expected);
    strbuf_finish(&out);
}

Test(sms_message, forms)
{
    struct notice notice = notice_sample(CHANNEL_SMS, "+41791234567");
    struct sms_sender sender = {.from = "+15005550006", .messaging_service = "", .status_callback_url = ""};
    notice.body = "Fahrt & mehr: 5 % günstiger~";
    check_form(
        &sender, &notice,
        "To=%2B41791234567&From=%2B15005550006&Body=Fahrt+%26+mehr%3A+5+%25+g%C3%BCnstiger%7E&ValidityPeriod=90");
    sender.messaging_service = "MG123";
    sender.status_callback_url = "https://x.example/v1/callbacks/sms?a=b";
    notice.body = "x";
    notice.expires_ms = SAMPLE_NOW_MS - 10000;
    check_form(&sender, &notice,
               "To=%2B41791234567&MessagingServiceSid=MG123&Body=x&ValidityPeriod=1&StatusCallback=https%3A%2F%2Fx."
               "example%2Fv1%2Fcallbacks%2Fsms%3Fa%3Db");
    sender.status_callback_url = "";
    notice.expires_ms = SAMPLE_NOW_MS + 36001000;
    check_form(&sender, &notice, "To=%2B41791234567&MessagingServiceSid=MG123&Body=x&ValidityPeriod=36000");
}

Test(sms_judge, table)
{
    static const struct {
        int status;
        const char *body;
        enum verdict verdict;
        enum failure failure;
        bool is_provider_fault;
    } rows[] = {
        {400, "{\"code\":21610,\"message\":\"m\",\"status\":400}", VERDICT_DEAD, FAILURE_opted_out, false},
        {400, "{\"code\":21211}", VERDICT_DEAD, FAILURE_dead_target, false},
        {400, "{\"code\":21614}", VERDICT_DEAD, FAILURE_dead_target, false},
        {400, "{\"code\":21617}", VERDICT_REJECTED, FAILURE_too_large, false},
        {400, "{\"code\":21606}", VERDICT_RETRY, FAILURE_unauthorized, true},
        {400, "{\"code\":21999}", VERDICT_REJECTED, FAILURE_bad_request, false},
        {429, "{\"code\":20429}", VERDICT_RETRY, FAILURE_rate_limited, true},
        {429, "", VERDICT_RETRY, FAILURE_rate_limited, true},
        {401, "{\"code\":20003}", VERDICT_RETRY, FAILURE_unauthorized, true},
        {401, "", VERDICT_RETRY, FAILURE_unauthorized, true},
        {500, "{\"code\":\"21610\"}", VERDICT_RETRY, FAILURE_unavailable, true},
        {503, "<html>", VERDICT_RETRY, FAILURE_unavailable, true},
        {404, "", VERDICT_REJECTED, FAILURE_bad_request, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome outcome;
        sms_judge(&outcome, rows[i].status, rows[i].body, 5000);
        cr_expect_eq(outcome.verdict, rows[i].verdict, "row %zu", i);
        cr_expect_eq(outcome.failure, rows[i].failure, "row %zu", i);
        cr_expect_eq(outcome.is_provider_fault, rows[i].is_provider_fault, "row %zu", i);
        cr_expect_eq(outcome.retry_after_ms, rows[i].verdict == VERDICT_RETRY ? 5000 : 0, "row %zu", i);
    }
    struct outcome outcome;
    sms_judge(&outcome, 201, "{\"sid\":\"SM1f0e8ae6ade43cb3c0ce4525424e404f\",\"status\":\"queued\"}", 0);
    cr_assert_eq(outcome.verdict, VERDICT_ACCEPTED);
    cr_assert_str_eq(outcome.provider_id, "SM1f0e8ae6ade43cb3c0ce4525424e404f");
}

/* --- status callbacks --- */

static bool is_signed(const char *form, const char *signature)
{
    return sms_signature_is_valid("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form, strlen(form),
                                  signature);
}

/* The provider's documented examples (twilio.com/docs/usage/security, and its libraries' tests). */
Test(sms_status, documented_signatures)
{
    cr_assert(
        is_signed("CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212",
                  "0/KCTR6DLpKmkAf8muzZqo1nDgQ="));
    cr_assert(
        is_signed("Digits=1234&To=%2B18005551212&From=%2B14158675310&Caller=%2B14158675310&CallSid=CA1234567890ABCDE",
                  "GvWf1cFY/Q7PnoempGyD5oXAezc="));
    cr_assert(
        is_signed("CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2b18005551212",
                  "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
}

Test(sms_status, anything_else_is_not_signed)
{
    static const char good[] =
        "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212";
    static const char signature[] = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";
    cr_assert(is_signed(good, signature));
    cr_assert_not(is_signed(good, ""));
    cr_assert_not(is_signed(good, "0/KCTR6DLpKmkAf8muzZqo1nDgR="));
    cr_assert_not(is_signed(good, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=x"));
    cr_assert_not(is_signed("Digits=1234", signature));
    cr_assert_not(is_signed("Digits=%", signature));
    cr_assert_not(
        sms_signature_is_valid("12346", "https://mycompany.com/myapp.php?foo=1&bar=2", good, strlen(good), signature));
    cr_assert_not(sms_signature_is_valid("12345", "https://mycompany.com/myapp.php", good, strlen(good), signature));
}

/* The same field with the same value counts once, with another value twice, sorted. */
Test(sms_status, repeated_fields)
{
    struct strbuf expected;
    strbuf_init(&expected, 0);
    hmac_base64_append(&expected, "SHA1", "k", 1, "https://h/A1B2B3", 16);
    cr_assert(sms_signature_is_valid("k", "https://h/", "B=3&A=1&B=2&B=3&&A=1", 20, expected.data));
    strbuf_finish(&expected);
}

Test(sms_status, parse)
{
    struct sms_status status;
    static const char form[] = "SmsSid=SM1&SmsStatus=failed&MessageStatus=undelivered&To=%2B1&MessageSid=SM12&"
                               "AccountSid=AC1&ErrorCode=30003";
    cr_assert(sms_status_parse(form, strlen(form), &status));
    cr_assert_str_eq(status.message_id, "SM12");
    cr_assert_str_eq(status.status, "undelivered");
    cr_assert_eq(status.error_code, 30003);
    cr_assert(sms_status_parse("MessageSid=S&MessageStatus=sent", 31, &status));
    cr_assert_eq(status.error_code, 0);
}

Test(sms_status, refused)
{
    char many[SMS_FORM_FIELDS_MAX * 4 + 64], *long_form = mem_alloc(SMS_FORM_LENGTH_MAX + 2);
    struct sms_status status;
    static const char *const bad[] = {
        "",
        "MessageSid=S",
        "MessageStatus=sent",
        "MessageSid=&MessageStatus=sent",
        "MessageSid=S&MessageStatus=sent&x=%",
        "MessageSid=S&MessageStatus=sent&x=%4",
        "MessageSid=S&MessageStatus=sent&x=%4g",
        "MessageSid=S%00&MessageStatus=sent",
        "MessageSid=S&MessageStatus=sent&ErrorCode=x",
        "MessageSid=S&MessageStatus=sent&ErrorCode=-1",
        "MessageSid=S&MessageStatus=sent&ErrorCode=99999999999999999999",
        "MessageSid=12345678901234567890123456789012345678901234567890123456789012345&MessageStatus=sent",
        "MessageSid=S&MessageStatus=123456789012345678901234567890123",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_not(sms_status_parse(bad[i], strlen(bad[i]), &status), "%s", bad[i]);
    size_t length = (size_t)snprintf(many, sizeof(many), "MessageSid=S&MessageStatus=sent");
    cr_assert(sms_status_parse(many, length, &status));
    for (int i = 0; i < SMS_FORM_FIELDS_MAX - 1; i++, length += 2)
        memcpy(many + length, "&x", 3);
    cr_assert_not(sms_status_parse(many, length, &status));
    memset(long_form, '&', SMS_FORM_LENGTH_MAX + 1);
    memcpy(long_form, "MessageSid=S&MessageStatus=sent", 31);
    cr_assert(sms_status_parse(long_form, SMS_FORM_LENGTH_MAX, &status));
    cr_assert_not(sms_status_parse(long_form, SMS_FORM_LENGTH_MAX + 1, &status));
    mem_free(long_form);
}

/* --- e-mail --- */

static void check_email(const char *from, const struct notice *notice, const char *expected)
{
    struct email_sender sender;
    struct strbuf out;
    strbuf_init(&out, 0);
    cr_assert(email_sender_parse(&sender, from));
    cr_assert(email_message_build(&out, &sender, notice, SAMPLE_NOW_MS));
    cr_assert_str_eq(out.data, expected);
    email_sender_finish(&sender);
    strbuf_finish(&out);
}

#define REST                                                                                                           \
    "Message-ID: <" SAMPLE_UUID "@ride.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"   \
    "Content-Transfer-Encoding: quoted-printable\r\nAuto-Submitted: auto-generated\r\nX-Hansom-Event: ev-1\r\n\r\n"

Test(email_message, plain)
{
    struct notice notice = notice_sample(CHANNEL_EMAIL, "ann@x.example");
    notice.body = "Hello\nAnn, 1+1=2 \r\n.\nend\t";
    check_email(
        "Ride Desk <desk@ride.example>", &notice,
        "Date: Tue, 25 Nov 2025 13:59:00 +0000\r\nFrom: Ride Desk <desk@ride.example>\r\nTo: <ann@x.example>\r\n"
        "Subject: New ride\r\n" REST "Hello\r\nAnn, 1+1=3D2=20\r\n.\r\nend=09\r\n");
}

Test(email_message, names_and_subjects_in_other_scripts)
{
    struct notice notice = notice_sample(CHANNEL_EMAIL, "ann@x.example");
    notice.title = "Ihre Fahrt: Zürich – Genève für CHF 120.– ist bestätigt worden";
    notice.body = "für €\rx";
    check_email("Fahrten Zürich <desk@ride.example>", &notice,
                "Date: Tue, 25 Nov 2025 13:59:00 +0000\r\n"
                "From: =?UTF-8?B?RmFocnRlbiBaw7xyaWNo?= <desk@ride.example>\r\nTo: <ann@x.example>\r\n"
                "Subject: =?UTF-8?B?SWhyZSBGYWhydDogWsO8cmljaCDigJMgR2Vuw6h2ZSBmw7xyIENI?=\r\n"
                " =?UTF-8?B?RiAxMjAu4oCTIGlzdCBiZXN0w6R0aWd0IHdvcmRlbg==?=\r\n" REST "f=C3=BCr =E2=82=AC=0Dx\r\n");
}

/* Nothing that a user or a template brings in begins a header. */
Test(email_message, no_header_is_smuggled_in)
{
    struct notice notice = notice_sample(CHANNEL_EMAIL, "ann@x.example");
    struct email_sender sender;
    struct strbuf out;
    strbuf_init(&out, 0);
    cr_assert(email_sender_parse(&sender, "desk@ride.example"));
    notice.title = "a\r\nBcc: evil@x.example\x7f";
    notice.body = "b";
    check_email("desk@ride.example", &notice,
                "Date: Tue, 25 Nov 2025 13:59:00 +0000\r\nFrom: <desk@ride.example>\r\nTo: <ann@x.example>\r\n"
                "Subject: a  Bcc: evil@x.example \r\n" REST "b\r\n");
    notice.title = "=?UTF-8?B?eA==?=";
    check_email("desk@ride.example", &notice,
                "Date: Tue, 25 Nov 2025 13:59:00 +0000\r\nFrom: <desk@ride.example>\r\nTo: <ann@x.example>\r\n"
                "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\r\n" REST "b\r\n");
    notice.event_id = "e\r\nBcc: x@y";
    cr_assert_not(email_message_build(&out, &sender, &notice, SAMPLE_NOW_MS));
    notice.event_id = "e";
    notice.target = "ann@x.example\r\nBcc: x@y";
    cr_assert_not(email_message_build(&out, &sender, &notice, SAMPLE_NOW_MS));
    email_sender_finish(&sender);
    strbuf_finish(&out);
}

Test(email_message, lines_stay_short)
{
    struct notice notice = notice_sample(CHANNEL_EMAIL, "ann@x.example");
    struct email_sender sender;
    struct strbuf out, text;
    strbuf_init(&out, 0);
    strbuf_init(&text, 0);
    for (int i = 0; i < 300; i++)
        strbuf_append_string(&text, i % 7 == 0 ? "日本 " : "abcde");
    notice.title = notice.body = text.data;
    cr_assert(email_sender_parse(&sender, "desk@ride.example"));
    cr_assert(email_message_build(&out, &sender, &notice, SAMPLE_NOW_MS));
    for (const char *line = out.data; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        cr_assert_not_null(end, "a line without end");
        cr_assert_leq(end - line, 76, "%.*s", (int)(end - line), line);
        line = end + 2;
    }
    email_sender_finish(&sender);
    strbuf_finish(&out);
    strbuf_finish(&text);
}

Test(email_message, addresses)
{
    static const char *const good[] = {"a@b", "first.last+tag@mail.example", "x_y-z@1.2.example"};
    static const char *const bad[] = {"",      "a",     "@b",        "a@",         "a b@c", "a@b c",
                                      "a@b\n", "<a@b>", "a@b,c@d",   "a@@b",       "a@b@c", "\"a\"@b",
                                      "é@b",   "a@b;c", "a@[1.2.3]", "a@b\r\nX: y"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_expect(email_address_is_sane(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_not(email_address_is_sane(bad[i]), "%s", bad[i]);
}

Test(email_message, senders)
{
    static const struct {
        const char *text;
        bool is_good;
        const char *name, *address;
    } rows[] = {{"desk@ride.example", true, "", "desk@ride.example"},
                {"<desk@ride.example>", true, "", "desk@ride.example"},
                {"Ride  Desk  <desk@ride.example>", true, "Ride  Desk", "desk@ride.example"},
                {"Desk <desk@ride.example", false, "", ""},
                {"Desk desk@ride.example>", false, "", ""},
                {"De\nsk <desk@ride.example>", false, "", ""},
                {"<", false, "", ""},
                {"", false, "", ""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct email_sender sender;
        cr_expect_eq(email_sender_parse(&sender, rows[i].text), rows[i].is_good, "%s", rows[i].text);
        if (rows[i].is_good) {
            cr_expect_str_eq(sender.name, rows[i].name);
            cr_expect_str_eq(sender.address, rows[i].address);
            cr_expect_str_eq(sender.domain, "ride.example");
        }
        email_sender_finish(&sender);
    }
}

Test(email_judge, table)
{
    static const struct {
        int status;
        bool is_about_recipient;
        enum verdict verdict;
        enum failure failure;
        bool is_provider_fault;
    } rows[] = {{250, false, VERDICT_ACCEPTED, FAILURE_none, false},
                {550, true, VERDICT_DEAD, FAILURE_dead_target, false},
                {553, true, VERDICT_DEAD, FAILURE_dead_target, false},
                {550, false, VERDICT_REJECTED, FAILURE_bad_request, false},
                {552, false, VERDICT_REJECTED, FAILURE_too_large, false},
                {530, false, VERDICT_RETRY, FAILURE_unauthorized, true},
                {535, false, VERDICT_RETRY, FAILURE_unauthorized, true},
                {450, true, VERDICT_RETRY, FAILURE_unavailable, false},
                {451, false, VERDICT_RETRY, FAILURE_unavailable, true},
                {421, false, VERDICT_RETRY, FAILURE_unavailable, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome outcome;
        email_judge(&outcome, rows[i].status, rows[i].is_about_recipient);
        cr_expect_eq(outcome.verdict, rows[i].verdict, "row %zu", i);
        cr_expect_eq(outcome.failure, rows[i].failure, "row %zu", i);
        cr_expect_eq(outcome.is_provider_fault, rows[i].is_provider_fault, "row %zu", i);
    }
}

/* --- webhook --- */

/* The example of the specification (standard-webhooks, "Verifying signatures"). */
Test(webhook_message, documented_signature)
{
    struct strbuf key, body, out;
    strbuf_init(&key, 0);
    strbuf_init(&body, 0);
    strbuf_init(&out, 0);
    webhook_key(&key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    cr_assert_eq(key.length, 24);
    strbuf_append_string(&body, "{\"test\": 2432232314}");
    webhook_sign(&out, &key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, &body);
    cr_assert_str_eq(out.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    strbuf_finish(&key);
    strbuf_finish(&body);
    strbuf_finish(&out);
}

Test(webhook_message, keys)
{
    static const struct {
        const char *secret;
        size_t length;
    } rows[] = {{"a plain text of some length", 27},
                {"whsec_AAAA", 3},
                {"whsec_AAA=", 2},
                {"whsec_AA==", 1},
                {"whsec_not!", 10},
                {"whsec_", 6}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf key;
        strbuf_init(&key, 0);
        webhook_key(&key, rows[i].secret);
        cr_expect_eq(key.length, rows[i].length, "%s", rows[i].secret);
        strbuf_finish(&key);
    }
}

Test(webhook_message, body_and_headers)
{
    struct notice notice = notice_sample(CHANNEL_WEBHOOK, "");
    struct strbuf key, body;
    struct header_list headers;
    strbuf_init(&key, 0);
    strbuf_init(&body, 0);
    header_list_init(&headers);
    strbuf_append_string(&key, "secret");
    notice.data_json = "{\"a\":1}";
    webhook_body_build(&body, &notice);
    cr_assert_str_eq(body.data,
                     "{\"type\":\"assignment_offer\",\"timestamp\":\"2025-11-25T13:58:55Z\",\"data\":{"
                     "\"event_id\":\"ev-1\",\"user_id\":\"ann\",\"critical\":true,\"expires_at\":"
                     "\"2025-11-25T14:00:30.500Z\",\"title\":\"New ride\",\"body\":\"Pick-up at \\\"Gare\\\"\","
                     "\"event\":{\"a\":1}}}");
    webhook_headers_build(&headers, &notice, &key, &body, SAMPLE_NOW_MS);
    const char *const *lines = header_list_lines(&headers);
    cr_assert_eq(headers.count, 4);
    cr_assert_str_eq(lines[0], "content-type: application/json");
    cr_assert_str_eq(lines[1], "webhook-id: " SAMPLE_UUID);
    cr_assert_str_eq(lines[2], "webhook-timestamp: 1764079140");
    cr_assert_eq(strncmp(lines[3], "webhook-signature: v1,", 22), 0);
    cr_assert_eq(strlen(lines[3]), 22 + 44);
    strbuf_finish(&key);
    strbuf_finish(&body);
    header_list_finish(&headers);
}

Test(outcome, by_http_status)
{
    static const struct {
        int status;
        enum verdict verdict;
        enum failure failure;
    } rows[] = {{200, VERDICT_ACCEPTED, FAILURE_none},        {204, VERDICT_ACCEPTED, FAILURE_none},
                {299, VERDICT_ACCEPTED, FAILURE_none},        {301, VERDICT_REJECTED, FAILURE_bad_request},
                {400, VERDICT_REJECTED, FAILURE_bad_request}, {401, VERDICT_RETRY, FAILURE_unauthorized},
                {403, VERDICT_RETRY, FAILURE_unauthorized},   {404, VERDICT_REJECTED, FAILURE_bad_request},
                {408, VERDICT_RETRY, FAILURE_unavailable},    {410, VERDICT_REJECTED, FAILURE_bad_request},
                {413, VERDICT_REJECTED, FAILURE_too_large},   {429, VERDICT_RETRY, FAILURE_rate_limited},
                {500, VERDICT_RETRY, FAILURE_unavailable},    {599, VERDICT_RETRY, FAILURE_unavailable}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome outcome;
        outcome_of_http(&outcome, rows[i].status, 9);
        cr_expect_eq(outcome.verdict, rows[i].verdict, "%d", rows[i].status);
        cr_expect_eq(outcome.failure, rows[i].failure, "%d", rows[i].status);
        cr_expect_eq(outcome.is_provider_fault, rows[i].verdict == VERDICT_RETRY);
        cr_expect_eq(outcome.retry_after_ms, rows[i].verdict == VERDICT_RETRY ? 9 : 0);
        cr_expect_eq(outcome.status, rows[i].status);
    }
}
