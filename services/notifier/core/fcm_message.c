#include "core/fcm_message.h"

#include <cJSON.h>

#include "base/json_writer.h"
#include "core/crypto_text.h"
#include "core/outcome.h"

#define TTL_MAX_S (28 * 24 * 3600) /* four weeks, FCM's own limit */
#define TOKEN_LIFE_S 3600
#define TOKEN_LIFE_MAX_S 86400
#define SCOPE "https://www.googleapis.com/auth/firebase.messaging"
#define GRANT "urn:ietf:params:oauth:grant-type:jwt-bearer"

static void write_data(struct json_writer *json, const struct notice *notice, bool has_data)
{
    json_key(json, "data");
    json_begin_object(json);
    json_kv_string(json, "event_id", notice->event_id);
    json_kv_string(json, "type", notice->type);
    if (has_data)
        json_kv_string(json, "data", notice->data_json);
    else
        json_kv_string(json, "data_omitted", "true");
    json_end_object(json);
}

/* FCM's collapse_key is about messages that wait; it is the tag that replaces what a phone shows already. */
static void write_android_notification(struct json_writer *json, const struct notice *notice)
{
    bool has_tag = notice->collapse_key[0] != '\0';
    if (notice->is_silent || (notice->badge == 0 && !has_tag))
        return;
    json_key(json, "notification");
    json_begin_object(json);
    if (has_tag)
        json_kv_string(json, "tag", notice->collapse_key);
    if (notice->badge > 0)
        json_kv_uint(json, "notification_count", notice->badge);
    json_end_object(json);
}

static void write_android(struct json_writer *json, const struct notice *notice, int64_t now_ms)
{
    int64_t ttl_s = notice->expires_ms > now_ms ? (notice->expires_ms - now_ms) / 1000 : 0;
    char ttl[24];
    snprintf(ttl, sizeof(ttl), "%llds", (long long)(ttl_s < TTL_MAX_S ? ttl_s : TTL_MAX_S));
    json_key(json, "android");
    json_begin_object(json);
    json_kv_string(json, "priority", notice->is_critical || notice->is_silent ? "HIGH" : "NORMAL");
    json_kv_string(json, "ttl", ttl);
    if (notice->collapse_key[0] != '\0')
        json_kv_string(json, "collapse_key", notice->collapse_key);
    write_android_notification(json, notice);
    json_end_object(json);
}

static void write_message(struct strbuf *out, const struct notice *notice, int64_t now_ms, bool has_data)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_key(&json, "message");
    json_begin_object(&json);
    json_kv_string(&json, "token", notice->target);
    if (!notice->is_silent) {
        json_key(&json, "notification");
        json_begin_object(&json);
        json_kv_string(&json, "title", notice->title);
        json_kv_string(&json, "body", notice->body);
        json_end_object(&json);
    }
    write_data(&json, notice, has_data);
    write_android(&json, notice, now_ms);
    json_end_object(&json);
    json_end_object(&json);
}

bool fcm_message_build(struct strbuf *out, const struct notice *notice, int64_t now_ms)
{
    size_t before = out->length;
    write_message(out, notice, now_ms, true);
    if (out->length - before <= FCM_MESSAGE_MAX)
        return true;
    out->length = before;
    write_message(out, notice, now_ms, false);
    return out->length - before <= FCM_MESSAGE_MAX;
}

/* google.firebase.fcm.v1.FcmError of the details, "" if there is none. */
static const char *error_code_of(const cJSON *error)
{
    const cJSON *detail;
    cJSON_ArrayForEach(detail, cJSON_GetObjectItemCaseSensitive(error, "details"))
    {
        const char *code = json_member_text(detail, "errorCode");
        if (code[0] != '\0')
            return code;
    }
    return "";
}

/* google.rpc.BadRequest of the details: does it complain about the token? */
static bool is_about_token(const cJSON *error)
{
    const cJSON *detail, *violation;
    cJSON_ArrayForEach(detail, cJSON_GetObjectItemCaseSensitive(error, "details"))
    {
        cJSON_ArrayForEach(violation, cJSON_GetObjectItemCaseSensitive(detail, "fieldViolations"))
        {
            if (str_equal(json_member_text(violation, "field"), "message.token"))
                return true;
        }
    }
    return strstr(json_member_text(error, "message"), "registration token") != NULL;
}

static void judge_error(struct outcome *outcome, int status, const cJSON *error, uint64_t retry_after_ms)
{
    const char *code = error_code_of(error);
    /* SENDER_ID_MISMATCH is not among them: with the wrong service account every token would count as dead. */
    bool is_gone = (status == 404 && str_equal(code, "UNREGISTERED")) || (status == 400 && is_about_token(error));
    if (is_gone)
        outcome_bury(outcome, status, FAILURE_dead_target);
    else if (status == 404) /* the project or the address is wrong: that says nothing about the token */
        outcome_retry(outcome, status, FAILURE_unavailable, retry_after_ms);
    else
        outcome_of_http(outcome, status, retry_after_ms);
}

void fcm_judge(struct outcome *outcome, int status, const char *body, uint64_t retry_after_ms)
{
    cJSON *answer = cJSON_Parse(body);
    if (status >= 200 && status <= 299)
        outcome_accept(outcome, status, json_member_text(answer, "name"));
    else
        judge_error(outcome, status, cJSON_GetObjectItemCaseSensitive(answer, "error"), retry_after_ms);
    cJSON_Delete(answer);
}

bool fcm_account_parse(struct fcm_account *account, const char *json, struct strbuf *error)
{
    *account = (struct fcm_account){0};
    const struct {
        const char *name;
        char **value;
    } members[] = {{"project_id", &account->project_id},
                   {"client_email", &account->client_email},
                   {"private_key", &account->private_key},
                   {"private_key_id", &account->private_key_id},
                   {"token_uri", &account->token_uri}};
    cJSON *object = cJSON_Parse(json);
    bool is_good = true;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        *members[i].value = mem_strdup(json_member_text(object, members[i].name));
        if (is_good && (*members[i].value)[0] == '\0') {
            strbuf_appendf(error, "%s is missing, or no text", members[i].name);
            is_good = false;
        }
    }
    cJSON_Delete(object);
    return is_good;
}

void fcm_account_finish(struct fcm_account *account)
{
    mem_free(account->project_id);
    mem_free(account->client_email);
    if (account->private_key != NULL)
        explicit_bzero(account->private_key, strlen(account->private_key));
    mem_free(account->private_key);
    mem_free(account->private_key_id);
    mem_free(account->token_uri);
    *account = (struct fcm_account){0};
}

bool fcm_token_form_build(struct strbuf *out, const struct fcm_account *account, int64_t now_ms)
{
    struct strbuf claims;
    struct json_writer json;
    strbuf_init(&claims, 512);
    json_writer_init(&json, &claims);
    json_begin_object(&json);
    json_kv_string(&json, "iss", account->client_email);
    json_kv_string(&json, "scope", SCOPE);
    json_kv_string(&json, "aud", account->token_uri);
    json_kv_int(&json, "iat", now_ms / 1000);
    json_kv_int(&json, "exp", now_ms / 1000 + TOKEN_LIFE_S);
    json_end_object(&json);
    char *assertion = jwt_make("RS256", account->private_key, account->private_key_id, claims.data);
    strbuf_finish(&claims);
    if (assertion == NULL)
        return false;
    form_append(out, "grant_type", GRANT);
    form_append(out, "assertion", assertion);
    mem_free(assertion);
    return true;
}

char *fcm_token_parse(const char *body, uint64_t *life_ms_r)
{
    cJSON *object = cJSON_Parse(body);
    const char *token = json_member_text(object, "access_token");
    const cJSON *life = cJSON_GetObjectItemCaseSensitive(object, "expires_in");
    double life_s = cJSON_IsNumber(life) ? life->valuedouble : TOKEN_LIFE_S;
    *life_ms_r = life_s >= 1 ? 1000u * (uint64_t)(life_s < TOKEN_LIFE_MAX_S ? life_s : TOKEN_LIFE_MAX_S) : 0;
    char *copy = token[0] == '\0' ? NULL : mem_strdup(token);
    cJSON_Delete(object);
    return copy;
}
