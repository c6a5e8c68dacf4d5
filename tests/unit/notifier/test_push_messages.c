#include <cJSON.h>
#include <criterion/criterion.h>

#include "auth/auth.h"
#include "core/apns_message.h"
#include "core/crypto_text.h"
#include "core/fcm_message.h"
#include "core/outcome.h"
#include "notice_sample.h"
#include "test_keys.h"

static char *long_data(size_t length)
{
    char *json = mem_alloc(length + 16);
    memcpy(json, "{\"x\":\"", 6);
    memset(json + 6, 'y', length);
    memcpy(json + 6 + length, "\"}", 3);
    return json;
}

/* --- FCM --- */

static void check_fcm(const struct notice *notice, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 0);
    cr_assert(fcm_message_build(&out, notice, SAMPLE_NOW_MS));
    cr_assert_str_eq(out.data, expected);
    strbuf_finish(&out);
}

Test(fcm_message, critical)
{
    struct notice notice = notice_sample(CHANNEL_FCM, "tok:en");
    notice.collapse_key = "ride-1";
    check_fcm(&notice,
              "{\"message\":{\"token\":\"tok:en\",\"notification\":{\"title\":\"New ride\",\"body\":\"Pick-up at "
              "\\\"Gare\\\"\"},\"data\":{\"event_id\":\"ev-1\",\"type\":\"assignment_offer\",\"data\":\"{\\\"booking_"
              "id\\\":\\\"ride-1\\\",\\\"fare\\\":\\\"12 €\\\"}\"},\"android\":{\"priority\":\"HIGH\",\"ttl\":\"90s\","
              "\"collapse_key\":\"ride-1\",\"notification\":{\"tag\":\"ride-1\",\"notification_count\":3}}}}");
}

Test(fcm_message, not_critical_and_late)
{
    struct notice notice = notice_sample(CHANNEL_FCM, "t");
    notice.is_critical = false;
    notice.badge = 0;
    notice.data_json = "{}";
    notice.expires_ms = SAMPLE_NOW_MS - 1;
    check_fcm(&notice, "{\"message\":{\"token\":\"t\",\"notification\":{\"title\":\"New ride\",\"body\":\"Pick-up at "
                       "\\\"Gare\\\"\"},\"data\":{\"event_id\":\"ev-1\",\"type\":\"assignment_offer\",\"data\":\"{}\"},"
                       "\"android\":{\"priority\":\"NORMAL\",\"ttl\":\"0s\"}}}");
}

Test(fcm_message, silent_is_data_only_and_high)
{
    struct notice notice = notice_sample(CHANNEL_FCM, "t");
    notice.is_critical = false;
    notice.is_silent = true;
    notice.title = notice.body = "";
    notice.data_json = "{}";
    notice.expires_ms = SAMPLE_NOW_MS + 86400000ll * 60;
    check_fcm(&notice, "{\"message\":{\"token\":\"t\",\"data\":{\"event_id\":\"ev-1\",\"type\":\"assignment_offer\","
                       "\"data\":\"{}\"},\"android\":{\"priority\":\"HIGH\",\"ttl\":\"2419200s\"}}}");
}

Test(fcm_message, too_large)
{
    char *data = long_data(FCM_MESSAGE_MAX);
    struct notice notice = notice_sample(CHANNEL_FCM, "t");
    struct strbuf out;
    strbuf_init(&out, 0);
    notice.data_json = data;
    cr_assert(fcm_message_build(&out, &notice, SAMPLE_NOW_MS));
    cr_assert_not_null(strstr(out.data, "\"data\":{\"event_id\":\"ev-1\",\"type\":\"assignment_offer\","
                                        "\"data_omitted\":\"true\"}"));
    cJSON *json = cJSON_Parse(out.data);
    cr_assert_not_null(json);
    cJSON_Delete(json);
    strbuf_clear(&out);
    notice.body = data;
    cr_assert_not(fcm_message_build(&out, &notice, SAMPLE_NOW_MS));
    strbuf_finish(&out);
    mem_free(data);
}

/* Exactly 4096 bytes pass, one more leaves the data out. */
Test(fcm_message, limit)
{
    struct notice notice = notice_sample(CHANNEL_FCM, "t");
    struct strbuf out;
    strbuf_init(&out, 0);
    notice.data_json = "{}";
    cr_assert(fcm_message_build(&out, &notice, SAMPLE_NOW_MS));
    size_t rest = FCM_MESSAGE_MAX - out.length;
    for (size_t more = 0; more < 2; more++) {
        char *title = mem_alloc(rest + 16);
        strbuf_clear(&out);
        snprintf(title, rest + 16, "New ride");
        memset(title + 8, 'z', rest + more);
        notice.title = title;
        cr_assert_eq(fcm_message_build(&out, &notice, SAMPLE_NOW_MS), more == 0, "without data it is no shorter");
        cr_assert_eq(strstr(out.data, "data_omitted") != NULL, more == 1);
        mem_free(title);
    }
    strbuf_finish(&out);
}

struct judge_row {
    int status;
    const char *body;
    enum verdict verdict;
    enum failure failure;
    bool is_provider_fault;
};

#define FCM_ERROR(status, code)                                                                                        \
    "{\"error\":{\"code\":1,\"message\":\"m\",\"status\":\"" status                                                    \
    "\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.Other\"},{\"@type\":\"type.googleapis.com/"           \
    "google.firebase.fcm.v1.FcmError\",\"errorCode\":\"" code "\"}]}}"

Test(fcm_judge, table)
{
    static const struct judge_row rows[] = {
        {404, FCM_ERROR("NOT_FOUND", "UNREGISTERED"), VERDICT_DEAD, FAILURE_dead_target, false},
        {404, "<html>", VERDICT_RETRY, FAILURE_unavailable, true},
        {404, FCM_ERROR("NOT_FOUND", ""), VERDICT_RETRY, FAILURE_unavailable, true},
        {403, FCM_ERROR("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), VERDICT_RETRY, FAILURE_unauthorized, true},
        {403, FCM_ERROR("PERMISSION_DENIED", ""), VERDICT_RETRY, FAILURE_unauthorized, true},
        {401, FCM_ERROR("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), VERDICT_RETRY, FAILURE_unauthorized, true},
        {401, "", VERDICT_RETRY, FAILURE_unauthorized, true},
        {400, FCM_ERROR("INVALID_ARGUMENT", "INVALID_ARGUMENT"), VERDICT_REJECTED, FAILURE_bad_request, false},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"The registration token is not a valid FCM registration token\","
         "\"status\":\"INVALID_ARGUMENT\"}}",
         VERDICT_DEAD, FAILURE_dead_target, false},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"Invalid\",\"details\":[{\"@type\":\"type.googleapis.com/"
         "google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"message.token\",\"description\":\"d\"}]}]}}",
         VERDICT_DEAD, FAILURE_dead_target, false},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"Invalid\",\"details\":[{\"fieldViolations\":[{\"field\":"
         "\"message.data\"}]}]}}",
         VERDICT_REJECTED, FAILURE_bad_request, false},
        {429, FCM_ERROR("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), VERDICT_RETRY, FAILURE_rate_limited, true},
        {500, "", VERDICT_RETRY, FAILURE_unavailable, true},
        {503, FCM_ERROR("UNAVAILABLE", "UNAVAILABLE"), VERDICT_RETRY, FAILURE_unavailable, true},
        {413, "", VERDICT_REJECTED, FAILURE_too_large, false},
        {400, "[1,{\"error\":3}]", VERDICT_REJECTED, FAILURE_bad_request, false},
        {400, "{\"error\":{\"details\":7,\"message\":[]}}", VERDICT_REJECTED, FAILURE_bad_request, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome outcome;
        fcm_judge(&outcome, rows[i].status, rows[i].body, 7000);
        cr_expect_eq(outcome.verdict, rows[i].verdict, "row %zu", i);
        cr_expect_eq(outcome.failure, rows[i].failure, "row %zu", i);
        cr_expect_eq(outcome.is_provider_fault, rows[i].is_provider_fault, "row %zu", i);
        cr_expect_eq(outcome.retry_after_ms, rows[i].verdict == VERDICT_RETRY ? 7000 : 0, "row %zu", i);
        cr_expect_eq(outcome.status, rows[i].status);
        cr_expect_not(outcome.is_uncertain);
    }
}

Test(fcm_judge, accepted)
{
    struct outcome outcome;
    fcm_judge(&outcome, 200, "{\"name\":\"projects/p/messages/0:15\"}", 0);
    cr_assert_eq(outcome.verdict, VERDICT_ACCEPTED);
    cr_assert_eq(outcome.failure, FAILURE_none);
    cr_assert_str_eq(outcome.provider_id, "projects/p/messages/0:15");
    fcm_judge(&outcome, 200, "not json", 0);
    cr_assert_eq(outcome.verdict, VERDICT_ACCEPTED);
    cr_assert_str_eq(outcome.provider_id, "");
}

Test(fcm_account, names_what_is_missing)
{
    struct fcm_account account;
    struct strbuf error;
    strbuf_init(&error, 0);
    cr_assert_not(fcm_account_parse(&account, "{\"project_id\":\"p\",\"client_email\":5}", &error));
    cr_assert_str_eq(error.data, "client_email is missing, or no text");
    fcm_account_finish(&account);
    strbuf_clear(&error);
    cr_assert_not(fcm_account_parse(&account, "nonsense", &error));
    cr_assert_str_eq(error.data, "project_id is missing, or no text");
    fcm_account_finish(&account);
    strbuf_finish(&error);
}

/* The claims of a compact JWT, to be freed with cJSON_Delete. part: 0 header, 1 claims. */
static cJSON *jwt_part(const char *jwt, int part)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    const char *from = part == 0 ? jwt : strchr(jwt, '.') + 1;
    cr_assert(base64url_decode(&text, from, strcspn(from, ".")));
    cJSON *json = cJSON_Parse(text.data);
    cr_assert_not_null(json);
    strbuf_finish(&text);
    return json;
}

Test(fcm_account, token_request)
{
    struct fcm_account account = {.project_id = "p",
                                  .client_email = "a@p.iam",
                                  .private_key = test_rsa_key(),
                                  .private_key_id = "k1",
                                  .token_uri = "https://oauth2.example/token"};
    static const char prefix[] = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    struct strbuf form;
    strbuf_init(&form, 0);
    cr_assert(fcm_token_form_build(&form, &account, SAMPLE_NOW_MS));
    cr_assert_eq(strncmp(form.data, prefix, strlen(prefix)), 0);
    cJSON *header = jwt_part(form.data + strlen(prefix), 0), *claims = jwt_part(form.data + strlen(prefix), 1);
    cr_assert_str_eq(json_member_text(header, "alg"), "RS256");
    cr_assert_str_eq(json_member_text(header, "kid"), "k1");
    cr_assert_str_eq(json_member_text(claims, "iss"), "a@p.iam");
    cr_assert_str_eq(json_member_text(claims, "aud"), "https://oauth2.example/token");
    cr_assert_str_eq(json_member_text(claims, "scope"), "https://www.googleapis.com/auth/firebase.messaging");
    cr_assert_eq(cJSON_GetObjectItem(claims, "iat")->valueint, SAMPLE_NOW_MS / 1000);
    cr_assert_eq(cJSON_GetObjectItem(claims, "exp")->valueint, SAMPLE_NOW_MS / 1000 + 3600);
    cJSON_Delete(header);
    cJSON_Delete(claims);
    mem_free(account.private_key);
    account.private_key = "no key";
    cr_assert_not(fcm_token_form_build(&form, &account, SAMPLE_NOW_MS));
    strbuf_finish(&form);
}

Test(fcm_account, token_answer)
{
    uint64_t life_ms;
    char *token =
        fcm_token_parse("{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}", &life_ms);
    cr_assert_str_eq(token, "ya29.x");
    cr_assert_eq(life_ms, 3599000);
    mem_free(token);
    cr_assert_null(fcm_token_parse("{\"error\":\"invalid_grant\"}", &life_ms));
    cr_assert_null(fcm_token_parse("", &life_ms));
    token = fcm_token_parse("{\"access_token\":\"a\",\"expires_in\":1e300}", &life_ms);
    cr_assert_eq(life_ms, 86400000);
    mem_free(token);
    token = fcm_token_parse("{\"access_token\":\"a\",\"expires_in\":-5}", &life_ms);
    cr_assert_eq(life_ms, 0);
    mem_free(token);
}

/* --- APNs --- */

static void check_apns(const struct notice *notice, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 0);
    cr_assert(apns_payload_build(&out, notice));
    cr_assert_str_eq(out.data, expected);
    strbuf_finish(&out);
}

Test(apns_message, payloads)
{
    struct notice notice = notice_sample(CHANNEL_APNS, "abcd");
    check_apns(&notice, "{\"aps\":{\"alert\":{\"title\":\"New ride\",\"body\":\"Pick-up at \\\"Gare\\\"\"},\"badge\":3,"
                        "\"sound\":\"default\"},\"event_id\":\"ev-1\",\"type\":\"assignment_offer\",\"data\":{"
                        "\"booking_id\":\"ride-1\",\"fare\":\"12 €\"}}");
    notice.is_critical = false;
    notice.data_json = "{}";
    check_apns(&notice,
               "{\"aps\":{\"alert\":{\"title\":\"New ride\",\"body\":\"Pick-up at \\\"Gare\\\"\"},\"badge\":3},"
               "\"event_id\":\"ev-1\",\"type\":\"assignment_offer\",\"data\":{}}");
    notice.is_silent = true;
    notice.is_critical = true;
    notice.title = notice.body = "";
    check_apns(&notice,
               "{\"aps\":{\"content-available\":1},\"event_id\":\"ev-1\",\"type\":\"assignment_offer\",\"data\":"
               "{}}");
}

Test(apns_message, too_large)
{
    char *data = long_data(APNS_PAYLOAD_MAX);
    struct notice notice = notice_sample(CHANNEL_APNS, "abcd");
    struct strbuf out;
    strbuf_init(&out, 0);
    notice.data_json = data;
    cr_assert(apns_payload_build(&out, &notice));
    cr_assert_str_eq(out.data, "{\"aps\":{\"alert\":{\"title\":\"New ride\",\"body\":\"Pick-up at \\\"Gare\\\"\"},"
                               "\"badge\":3,\"sound\":\"default\"},\"event_id\":\"ev-1\",\"type\":\"assignment_offer\","
                               "\"data_omitted\":true}");
    strbuf_clear(&out);
    notice.title = data;
    cr_assert_not(apns_payload_build(&out, &notice));
    strbuf_finish(&out);
    mem_free(data);
}

static void check_headers(const struct notice *notice, const char *const *expected)
{
    struct header_list headers;
    header_list_init(&headers);
    apns_headers_build(&headers, notice, "com.example.app");
    const char *const *lines = header_list_lines(&headers);
    for (size_t i = 0; i < headers.count; i++)
        cr_assert_str_eq(lines[i], expected[i]);
    cr_assert_null(expected[headers.count]);
    header_list_finish(&headers);
}

Test(apns_message, headers)
{
    struct notice notice = notice_sample(CHANNEL_APNS, "abcd");
    notice.collapse_key = "1234567890123456789012345678901234567890123456789012345678901234";
    check_headers(&notice,
                  (const char *const[]){
                      "content-type: application/json", "apns-topic: com.example.app", "apns-push-type: alert",
                      "apns-priority: 10", "apns-expiration: 1764079230", "apns-id: " SAMPLE_UUID,
                      "apns-collapse-id: 1234567890123456789012345678901234567890123456789012345678901234", NULL});
    notice.collapse_key = "12345678901234567890123456789012345678901234567890123456789012345"; /* 65 bytes */
    notice.is_critical = false;
    check_headers(&notice,
                  (const char *const[]){
                      "content-type: application/json", "apns-topic: com.example.app", "apns-push-type: alert",
                      "apns-priority: 5", "apns-expiration: 1764079230", "apns-id: " SAMPLE_UUID,
                      "apns-collapse-id: 71fbbf9bcb342cdc7768b7d494089e947ac411548fd9fd6f67bb7a207928027d", NULL});
}

Test(apns_message, silent_headers_and_collapse_keys_that_are_no_header)
{
    struct notice notice = notice_sample(CHANNEL_APNS, "abcd");
    char hash[65], line[128];
    notice.is_silent = true; /* critical, but a background push has 5 */
    notice.collapse_key = "a\r\napns-topic: evil";
    sha256_hex(notice.collapse_key, strlen(notice.collapse_key), hash);
    snprintf(line, sizeof(line), "apns-collapse-id: %s", hash);
    check_headers(&notice, (const char *const[]){"content-type: application/json", "apns-topic: com.example.app",
                                                 "apns-push-type: background", "apns-priority: 5",
                                                 "apns-expiration: 1764079230", "apns-id: " SAMPLE_UUID, line, NULL});
}

Test(apns_message, tokens_of_devices)
{
    char longest[202];
    memset(longest, 'a', sizeof(longest));
    longest[201] = '\0';
    cr_assert_not(apns_token_is_sane(longest));
    longest[200] = '\0';
    cr_assert(apns_token_is_sane(longest));
    cr_assert(apns_token_is_sane("00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"));
    static const char *const bad[] = {"", "ab/cd", "../x", "a?b", "a b", "ab\r\n", "é"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_not(apns_token_is_sane(bad[i]), "%s", bad[i]);
}

Test(apns_message, provider_token)
{
    char *key = test_ec_key(), *other_key = test_rsa_key();
    char *token = apns_provider_token(key, "ABC123DEFG", "DEF123GHIJ", SAMPLE_NOW_MS);
    cr_assert_not_null(token);
    cJSON *header = jwt_part(token, 0), *claims = jwt_part(token, 1);
    cr_assert_str_eq(json_member_text(header, "alg"), "ES256");
    cr_assert_str_eq(json_member_text(header, "kid"), "ABC123DEFG");
    cr_assert_str_eq(json_member_text(claims, "iss"), "DEF123GHIJ");
    cr_assert_eq(cJSON_GetObjectItem(claims, "iat")->valueint, SAMPLE_NOW_MS / 1000);
    cJSON_Delete(header);
    cJSON_Delete(claims);
    mem_free(token);
    cr_assert_null(apns_provider_token("no key", "k", "t", SAMPLE_NOW_MS));
    cr_assert_null(apns_provider_token(other_key, "k", "t", SAMPLE_NOW_MS));
    mem_free(key);
    mem_free(other_key);
}

Test(apns_judge, table)
{
    static const struct judge_row rows[] = {
        {400, "{\"reason\":\"BadDeviceToken\"}", VERDICT_DEAD, FAILURE_dead_target, false},
        {400, "{\"reason\":\"DeviceTokenNotForTopic\"}", VERDICT_DEAD, FAILURE_dead_target, false},
        {410, "{\"reason\":\"ExpiredToken\"}", VERDICT_DEAD, FAILURE_dead_target, false},
        {410, "", VERDICT_DEAD, FAILURE_dead_target, false},
        {400, "{\"reason\":\"BadCollapseId\"}", VERDICT_REJECTED, FAILURE_bad_request, false},
        {400, "{\"reason\":\"TopicDisallowed\"}", VERDICT_RETRY, FAILURE_unauthorized, true},
        {403, "{\"reason\":\"ExpiredProviderToken\"}", VERDICT_RETRY, FAILURE_unauthorized, true},
        {403, "{\"reason\":\"InvalidProviderToken\"}", VERDICT_RETRY, FAILURE_unauthorized, true},
        {403, "{\"reason\":\"Forbidden\"}", VERDICT_RETRY, FAILURE_unauthorized, true},
        {404, "{\"reason\":\"BadPath\"}", VERDICT_REJECTED, FAILURE_bad_request, false},
        {413, "{\"reason\":\"PayloadTooLarge\"}", VERDICT_REJECTED, FAILURE_too_large, false},
        {429, "{\"reason\":\"TooManyRequests\"}", VERDICT_RETRY, FAILURE_rate_limited, false},
        {429, "{\"reason\":\"TooManyProviderTokenUpdates\"}", VERDICT_RETRY, FAILURE_rate_limited, true},
        {500, "{\"reason\":\"InternalServerError\"}", VERDICT_RETRY, FAILURE_unavailable, true},
        {503, "{\"reason\":\"Shutdown\"}", VERDICT_RETRY, FAILURE_unavailable, true},
        {400, "{\"reason\":7}", VERDICT_REJECTED, FAILURE_bad_request, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome outcome;
        bool is_refused;
        apns_judge(&outcome, rows[i].status, rows[i].body, NULL, 3000, &is_refused);
        cr_expect_eq(outcome.verdict, rows[i].verdict, "row %zu", i);
        cr_expect_eq(outcome.failure, rows[i].failure, "row %zu", i);
        cr_expect_eq(outcome.is_provider_fault, rows[i].is_provider_fault, "row %zu", i);
        cr_expect_eq(outcome.retry_after_ms, rows[i].verdict == VERDICT_RETRY ? 3000 : 0, "row %zu", i);
        cr_expect_eq(is_refused, strstr(rows[i].body, "dProviderToken\"") != NULL, "row %zu", i);
        cr_expect_eq(outcome.dead_since_ms, 0);
    }
}

Test(apns_judge, since_when_it_is_dead)
{
    static const struct {
        const char *body;
        int64_t since_ms;
    } rows[] = {{"{\"reason\":\"Unregistered\",\"timestamp\":1454402113000}", 1454402113000},
                {"{\"reason\":\"Unregistered\",\"timestamp\":-1}", 0},
                {"{\"reason\":\"Unregistered\",\"timestamp\":1e300}", 0},
                {"{\"reason\":\"Unregistered\",\"timestamp\":\"1454402113000\"}", 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome outcome;
        bool is_refused;
        apns_judge(&outcome, 410, rows[i].body, NULL, 0, &is_refused);
        cr_assert_eq(outcome.verdict, VERDICT_DEAD);
        cr_assert_eq(outcome.dead_since_ms, rows[i].since_ms, "row %zu", i);
    }
}

Test(apns_judge, accepted)
{
    struct outcome outcome;
    bool is_refused;
    apns_judge(&outcome, 200, "", "EABEAE54-14A8-11E5-B60B-1697F925EC7B", 0, &is_refused);
    cr_assert_eq(outcome.verdict, VERDICT_ACCEPTED);
    cr_assert_str_eq(outcome.provider_id, "EABEAE54-14A8-11E5-B60B-1697F925EC7B");
    char long_id[300];
    memset(long_id, 'x', sizeof(long_id));
    long_id[299] = '\0';
    apns_judge(&outcome, 200, "", long_id, 0, &is_refused);
    cr_assert_eq(strlen(outcome.provider_id), PROVIDER_ID_SIZE - 1);
}
