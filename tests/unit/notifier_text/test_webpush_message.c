#include "bytes.h"

#include <cjson/cJSON.h>

#include "providers/webpush_message.h"

#define NOW_MS 1700000000000ll

static struct notice notice_of(const char *title, const char *body, const char *data_json)
{
    return (struct notice){.channel = CHANNEL_WEBPUSH,
                           .event_id = "e1",
                           .type = "assignment_offer",
                           .user_id = "u1",
                           .data_json = data_json,
                           .collapse_key = "",
                           .device_id = "d1",
                           .title = title,
                           .body = body,
                           .expires_ms = NOW_MS + 90000,
                           .badge = 3};
}

static void expect_payload(const struct notice *notice, const char *expected)
{
    struct strbuf payload;
    strbuf_init(&payload, 64);
    webpush_payload_write(&payload, notice);
    cr_expect_str_eq(payload.data, expected);
    strbuf_finish(&payload);
}

Test(webpush_message, payloads)
{
    struct notice notice = notice_of("New \"ride\"", "Pick-up", "{\"booking_id\":\"b1\"}");
    expect_payload(&notice, "{\"title\":\"New \\\"ride\\\"\",\"body\":\"Pick-up\",\"event_id\":\"e1\",\"type\":"
                            "\"assignment_offer\",\"badge\":3,\"data\":{\"booking_id\":\"b1\"}}");
    notice = notice_of("", "", "{}");
    notice.is_silent = true;
    expect_payload(&notice,
                   "{\"title\":\"\",\"body\":\"\",\"event_id\":\"e1\",\"type\":\"assignment_offer\",\"badge\":3,"
                   "\"silent\":true,\"data\":{}}");
}

/* body of so many characters of so many bytes; the payload must parse, keep the limit, and hold what it can. */
static size_t body_that_is_left(const char *character, size_t count, size_t data_length, bool *has_data_r)
{
    struct strbuf body, data, payload;
    strbuf_init(&body, 64);
    strbuf_init(&data, 64);
    strbuf_init(&payload, 64);
    for (size_t i = 0; i < count; i++)
        strbuf_append_string(&body, character);
    strbuf_append_string(&data, "{\"x\":\"");
    for (size_t i = 0; i < data_length; i++)
        strbuf_append_char(&data, 'y');
    strbuf_append_string(&data, "\"}");
    struct notice notice = notice_of("t", body.data, data.data);
    strbuf_append_string(&payload, "before");
    webpush_payload_write(&payload, &notice);
    cr_assert_leq(payload.length - 6, WEBPUSH_PLAINTEXT_MAX);
    cJSON *root = cJSON_Parse(payload.data + 6);
    cr_assert_not_null(root);
    *has_data_r = cJSON_HasObjectItem(root, "data");
    cr_expect_eq(*has_data_r, !cJSON_HasObjectItem(root, "data_omitted"));
    const char *left = cJSON_GetStringValue(cJSON_GetObjectItem(root, "body"));
    size_t length = strlen(left);
    cr_expect_eq(length % strlen(character), 0, "no character is cut");
    cr_expect_eq(strncmp(left, body.data, length), 0);
    cJSON_Delete(root);
    strbuf_finish(&body);
    strbuf_finish(&data);
    strbuf_finish(&payload);
    return length;
}

Test(webpush_message, what_is_too_large_loses_data_then_body)
{
    bool has_data;
    cr_expect_eq(body_that_is_left("b", 100, 3000, &has_data), 100);
    cr_expect(has_data);
    cr_expect_eq(body_that_is_left("b", 100, 4000, &has_data), 100);
    cr_expect_not(has_data);
    cr_expect_eq(body_that_is_left("b", 3000, 3000, &has_data), 3000);
    cr_expect_not(has_data);
    size_t left = body_that_is_left("b", 5000, 10, &has_data);
    cr_expect(left > 3800 && left < WEBPUSH_PLAINTEXT_MAX, "%zu bytes", left);
    cr_expect_not(has_data);
    left = body_that_is_left("\xe2\x82\xac", 2000, 10, &has_data);
    cr_expect(left > 3800 && left < WEBPUSH_PLAINTEXT_MAX, "%zu bytes", left);
    left = body_that_is_left("\"", 2000, 10, &has_data);
    cr_expect(left > 1800 && left < 2000, "%zu bytes", left);
    body_that_is_left("\x01", 2000, 10, &has_data);
}

static const char *header_of(const struct webpush_message *message, const char *name)
{
    for (size_t i = 0; i < message->request.header_count; i++)
        if (strncmp(message->request.headers[i], name, strlen(name)) == 0)
            return message->request.headers[i] + strlen(name);
    return NULL;
}

static void build(struct webpush_message *message, const struct notice *notice)
{
    static struct subscription subscription = {.endpoint = "https://push.example.org/x"};
    bytes_of(EXAMPLE_P256DH, subscription.receiver.p256dh, WEBPUSH_POINT_LENGTH);
    bytes_of(EXAMPLE_AUTH, subscription.receiver.auth, WEBPUSH_AUTH_LENGTH);
    cr_assert_eq(webpush_message_init(message, notice, &subscription, "vapid t=T, k=K", NOW_MS, 1234), WEBPUSH_OK);
}

Test(webpush_message, a_request)
{
    struct webpush_message message;
    struct notice notice = notice_of("t", "b", "{}");
    build(&message, &notice);
    cr_expect_str_eq(message.request.method, "POST");
    cr_expect_str_eq(message.request.url, "https://push.example.org/x");
    cr_expect(message.request.is_foreign, "the URL comes from outside");
    cr_expect_eq(message.request.timeout_ms, 1234);
    cr_expect_eq(message.request.header_count, 5);
    cr_expect_str_eq(header_of(&message, "TTL: "), "90");
    cr_expect_str_eq(header_of(&message, "Urgency: "), "normal");
    cr_expect_str_eq(header_of(&message, "Content-Encoding: "), "aes128gcm");
    cr_expect_str_eq(header_of(&message, "Content-Type: "), "application/octet-stream");
    cr_expect_str_eq(header_of(&message, "Authorization: "), "vapid t=T, k=K");
    cr_expect_null(header_of(&message, "Topic: "));
    struct strbuf payload;
    strbuf_init(&payload, 64);
    webpush_payload_write(&payload, &notice);
    cr_expect_eq(message.request.body_length, payload.length + 103);
    cr_expect_eq(message.request.body, message.body.data);
    strbuf_finish(&payload);
    webpush_message_finish(&message);
}

Test(webpush_message, urgency_life_and_topic)
{
    static const struct {
        int64_t left_ms;
        const char *ttl;
    } lives[] = {{999, "0"}, {1000, "1"}, {-5000, "0"}, {2419200000ll, "2419200"}, {31536000000ll, "2419200"}};
    struct webpush_message message;
    struct notice notice = notice_of("t", "b", "{}");
    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        notice.expires_ms = NOW_MS + lives[i].left_ms;
        build(&message, &notice);
        cr_expect_str_eq(header_of(&message, "TTL: "), lives[i].ttl);
        webpush_message_finish(&message);
    }
    for (int i = 0; i < 2; i++) {
        notice.is_critical = i == 0;
        notice.is_silent = i == 1;
        notice.collapse_key = "booking \r\n 1"; /* anything: only its hash is sent */
        build(&message, &notice);
        cr_expect_str_eq(header_of(&message, "Urgency: "), "high");
        const char *topic = header_of(&message, "Topic: ");
        cr_assert_not_null(topic);
        /* printf 'booking \r\n 1' | openssl sha256 -binary | head -c 24 | basenc --base64url */
        cr_expect_str_eq(topic, "tARbMDsVLRG2aQQ6dYFnePF3GqlZp6Ji");
        webpush_message_finish(&message);
    }
}

static void expect_outcome(const struct webpush_answer *answer, enum verdict verdict, enum failure failure,
                           bool is_fault)
{
    struct outcome outcome;
    memset(&outcome, 0xff, sizeof(outcome));
    webpush_judge(answer, &outcome);
    cr_expect_eq(outcome.verdict, verdict, "status %d failure %d", answer->status, answer->failure);
    cr_expect_eq(outcome.failure, failure, "status %d failure %d", answer->status, answer->failure);
    cr_expect_eq(outcome.is_provider_fault, is_fault, "status %d failure %d", answer->status, answer->failure);
    cr_expect_eq(outcome.status, answer->status);
    cr_expect_eq(outcome.is_uncertain, failure == FAILURE_timeout || failure == FAILURE_cut);
    cr_expect_eq(outcome.retry_after_ms, verdict == VERDICT_RETRY ? answer->retry_after_ms : 0);
    cr_expect_eq(outcome.dead_since_ms, 0);
}

Test(webpush_message, answers)
{
    static const struct {
        int status;
        enum verdict verdict;
        enum failure failure;
        bool is_fault;
    } rows[] = {
        {200, VERDICT_ACCEPTED, FAILURE_none, false},        {201, VERDICT_ACCEPTED, FAILURE_none, false},
        {202, VERDICT_ACCEPTED, FAILURE_none, false},        {204, VERDICT_ACCEPTED, FAILURE_none, false},
        {301, VERDICT_REJECTED, FAILURE_bad_request, false}, {307, VERDICT_REJECTED, FAILURE_bad_request, false},
        {400, VERDICT_REJECTED, FAILURE_bad_request, false}, {401, VERDICT_RETRY, FAILURE_unauthorized, false},
        {403, VERDICT_RETRY, FAILURE_unauthorized, false},   {404, VERDICT_DEAD, FAILURE_dead_target, false},
        {410, VERDICT_DEAD, FAILURE_dead_target, false},     {413, VERDICT_REJECTED, FAILURE_too_large, false},
        {429, VERDICT_RETRY, FAILURE_rate_limited, false},   {500, VERDICT_RETRY, FAILURE_unavailable, true},
        {502, VERDICT_RETRY, FAILURE_unavailable, true},     {503, VERDICT_RETRY, FAILURE_unavailable, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct webpush_answer answer = {.status = rows[i].status, .retry_after_ms = 7000, .is_known_service = true};
        expect_outcome(&answer, rows[i].verdict, rows[i].failure, rows[i].is_fault);
        answer.is_known_service = false; /* a stranger's server may not stop everybody's Web Push */
        expect_outcome(&answer, rows[i].verdict, rows[i].failure, false);
    }
}

Test(webpush_message, no_answer)
{
    static const struct {
        enum transfer_failure failure;
        enum verdict verdict;
        enum failure reason;
        bool is_fault;
    } rows[] = {
        {TRANSFER_REFUSED, VERDICT_REJECTED, FAILURE_refused_address, false},
        {TRANSFER_CONNECT, VERDICT_RETRY, FAILURE_connect, true},
        {TRANSFER_TIMEOUT, VERDICT_RETRY, FAILURE_timeout, true},
        {TRANSFER_CUT, VERDICT_RETRY, FAILURE_cut, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct webpush_answer answer = {.failure = rows[i].failure, .is_known_service = true};
        expect_outcome(&answer, rows[i].verdict, rows[i].reason, rows[i].is_fault);
        answer.is_known_service = false;
        expect_outcome(&answer, rows[i].verdict, rows[i].reason, false);
    }
}

Test(webpush_message, the_location_is_a_strangers_text)
{
    static const char *const rows[][2] = {
        {"https://push.example.org/m/1", "https://push.example.org/m/1"},
        {"/m/1", "/m/1"},
        {NULL, ""},
        {"", ""},
        {"SM0123456789abcdef", ""}, /* looks like another provider's name */
        {"/m/\x1b[31m", ""},
        {"/m/ \xc3\xa9", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome outcome;
        webpush_judge(&(struct webpush_answer){.status = 201, .location = rows[i][0]}, &outcome);
        cr_expect_str_eq(outcome.provider_id, rows[i][1]);
    }
    char location[300];
    struct outcome outcome;
    memset(location, 'x', sizeof(location) - 1);
    location[0] = '/';
    location[sizeof(location) - 1] = '\0';
    webpush_judge(&(struct webpush_answer){.status = 201, .location = location}, &outcome);
    cr_expect_eq(strlen(outcome.provider_id), PROVIDER_ID_SIZE - 1);
}
