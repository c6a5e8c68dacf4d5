#include "core/apns_message.h"

#include <cJSON.h>

#include "auth/auth.h"
#include "base/json_writer.h"
#include "core/crypto_text.h"
#include "core/outcome.h"

#define TOKEN_LENGTH_MAX 200 /* Apple's are 64 digits today and may grow */

/* A background push may hold nothing that shows or sounds, or Apple treats it as an alert. */
static void write_aps(struct json_writer *json, const struct notice *notice)
{
    json_key(json, "aps");
    json_begin_object(json);
    if (notice->is_silent)
        json_kv_int(json, "content-available", 1);
    else {
        json_key(json, "alert");
        json_begin_object(json);
        json_kv_string(json, "title", notice->title);
        json_kv_string(json, "body", notice->body);
        json_end_object(json);
        json_kv_uint(json, "badge", notice->badge);
        if (notice->is_critical)
            json_kv_string(json, "sound", "default");
    }
    json_end_object(json);
}

static void write_payload(struct strbuf *out, const struct notice *notice, bool has_data)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    write_aps(&json, notice);
    json_kv_string(&json, "event_id", notice->event_id);
    json_kv_string(&json, "type", notice->type);
    if (has_data) {
        json_key(&json, "data");
        json_raw(&json, notice->data_json, strlen(notice->data_json));
    } else
        json_kv_bool(&json, "data_omitted", true);
    json_end_object(&json);
}

bool apns_payload_build(struct strbuf *out, const struct notice *notice)
{
    size_t before = out->length;
    write_payload(out, notice, true);
    if (out->length - before <= APNS_PAYLOAD_MAX)
        return true;
    out->length = before;
    write_payload(out, notice, false);
    return out->length - before <= APNS_PAYLOAD_MAX;
}

static void add_collapse_id(struct header_list *headers, const char *key)
{
    char hash[APNS_COLLAPSE_ID_MAX + 1];
    if (strlen(key) <= APNS_COLLAPSE_ID_MAX && header_value_is_sane(key)) {
        header_add(headers, "apns-collapse-id", key);
        return;
    }
    sha256_hex(key, strlen(key), hash);
    header_add(headers, "apns-collapse-id", hash);
}

void apns_headers_build(struct header_list *headers, const struct notice *notice, const char *topic)
{
    char uuid[DELIVERY_UUID_SIZE];
    bool is_urgent = notice->is_critical && !notice->is_silent; /* Apple refuses 10 for background pushes */
    delivery_uuid(notice->delivery_id, uuid);
    header_add(headers, "content-type", "application/json");
    header_add(headers, "apns-topic", topic);
    header_add(headers, "apns-push-type", notice->is_silent ? "background" : "alert");
    header_add(headers, "apns-priority", is_urgent ? "10" : "5");
    header_add_int(headers, "apns-expiration", notice->expires_ms / 1000);
    header_add(headers, "apns-id", uuid);
    if (notice->collapse_key[0] != '\0')
        add_collapse_id(headers, notice->collapse_key);
}

bool apns_token_is_sane(const char *token)
{
    size_t length = 0;
    for (; token[length] != '\0' && length <= TOKEN_LENGTH_MAX; length++) {
        char c = token[length];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return length > 0 && length <= TOKEN_LENGTH_MAX;
}

char *apns_provider_token(const char *key_pem, const char *key_id, const char *team_id, int64_t now_ms)
{
    struct strbuf claims;
    struct json_writer json;
    strbuf_init(&claims, 128);
    json_writer_init(&json, &claims);
    json_begin_object(&json);
    json_kv_string(&json, "iss", team_id);
    json_kv_int(&json, "iat", now_ms / 1000);
    json_end_object(&json);
    char *token = jwt_make("ES256", key_pem, key_id, claims.data);
    strbuf_finish(&claims);
    return token;
}

enum remedy { REMEDY_BURY, REMEDY_TOKEN, REMEDY_SETTINGS, REMEDY_DEVICE_RATE };

/* Apple, "Handling notification responses from APNs": the reasons that say more than their status. */
static const struct {
    const char *reason;
    enum remedy remedy;
} reasons[] = {
    {"BadDeviceToken", REMEDY_BURY},         {"DeviceTokenNotForTopic", REMEDY_BURY},
    {"Unregistered", REMEDY_BURY},           {"ExpiredToken", REMEDY_BURY},
    {"ExpiredProviderToken", REMEDY_TOKEN},  {"InvalidProviderToken", REMEDY_TOKEN},
    {"MissingProviderToken", REMEDY_TOKEN},  {"BadTopic", REMEDY_SETTINGS},
    {"MissingTopic", REMEDY_SETTINGS},       {"TopicDisallowed", REMEDY_SETTINGS},
    {"BadCertificate", REMEDY_SETTINGS},     {"BadCertificateEnvironment", REMEDY_SETTINGS},
    {"TooManyRequests", REMEDY_DEVICE_RATE},
};

static void apply(struct outcome *outcome, enum remedy remedy, int status, uint64_t retry_after_ms)
{
    if (remedy == REMEDY_BURY)
        outcome_bury(outcome, status, FAILURE_dead_target);
    else if (remedy == REMEDY_DEVICE_RATE) {
        outcome_retry(outcome, status, FAILURE_rate_limited, retry_after_ms);
        outcome->is_provider_fault = false; /* too many to this one device */
    } else
        outcome_retry(outcome, status, FAILURE_unauthorized, retry_after_ms);
}

static void judge_reason(struct outcome *outcome, int status, const char *reason, uint64_t retry_after_ms,
                         bool *is_token_refused_r)
{
    outcome_of_http(outcome, status, retry_after_ms);
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (str_equal(reasons[i].reason, reason)) {
            apply(outcome, reasons[i].remedy, status, retry_after_ms);
            *is_token_refused_r = reasons[i].remedy == REMEDY_TOKEN;
        }
}

void apns_judge(struct outcome *outcome, int status, const char *body, const char *apns_id, uint64_t retry_after_ms,
                bool *is_token_refused_r)
{
    *is_token_refused_r = false;
    if (status >= 200 && status <= 299) {
        outcome_accept(outcome, status, apns_id);
        return;
    }
    cJSON *answer = cJSON_Parse(body);
    const cJSON *since = cJSON_GetObjectItemCaseSensitive(answer, "timestamp");
    judge_reason(outcome, status, json_member_text(answer, "reason"), retry_after_ms, is_token_refused_r);
    if (status == 410 && outcome->verdict == VERDICT_REJECTED) /* gone, whatever word for it there will be */
        outcome_bury(outcome, status, FAILURE_dead_target);
    if (outcome->verdict == VERDICT_DEAD && cJSON_IsNumber(since) && since->valuedouble > 0 &&
        since->valuedouble < 1e15)
        outcome->dead_since_ms = (int64_t)since->valuedouble;
    cJSON_Delete(answer);
}
