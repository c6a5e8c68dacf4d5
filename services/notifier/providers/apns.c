#include "base/clock.h"
#include "base/file.h"
#include "core/apns_message.h"
#include "core/outcome.h"
#include "notifier_settings.h"
#include "providers/sender.h"
#include "shared_token.h"

#define TOKEN_RENEW_MS (40u * 60u * 1000u) /* Apple: between 20 and 60 minutes */
#define NO_TOKEN_RETRY_MS 1000u

struct apns {
    struct sender *sender;
    struct shared_token *token;
    char *key_pem;
    const char *key_id, *team_id, *topic, *base_url; /* of the settings */
    struct strbuf url, body, authorization;
    struct header_list headers;
};

static bool apns_is_configured(const struct notifier_settings *settings)
{
    return settings->apns_key_file[0] != '\0';
}

static char *make_token(void *context, int64_t now_ms)
{
    const struct apns *apns = context;
    return apns_provider_token(apns->key_pem, apns->key_id, apns->team_id, now_ms);
}

static void on_answer(void *state, uint64_t tag, const struct transfer *transfer, const struct transfer_reply *reply,
                      struct outcome *outcome)
{
    (void)tag;
    struct apns *apns = state;
    bool is_token_refused;
    apns_judge(outcome, reply->status, reply->body, transfer_header(transfer, "apns-id"),
               transfer_retry_after_ms(transfer), &is_token_refused);
    if (is_token_refused)
        shared_token_refused(apns->token);
}

/* False with the outcome: it cannot be sent. */
static bool build(struct apns *apns, const struct notice *notice, struct outcome *outcome)
{
    const char *token = shared_token_get(apns->token);
    if (!apns_token_is_sane(notice->target)) {
        outcome_bury(outcome, 0, FAILURE_dead_target);
        return false;
    }
    if (token == NULL) { /* our database is at fault, not Apple */
        outcome_retry(outcome, 0, FAILURE_unavailable, NO_TOKEN_RETRY_MS);
        outcome->is_provider_fault = false;
        return false;
    }
    strbuf_clear(&apns->body);
    if (!apns_payload_build(&apns->body, notice)) {
        outcome_reject(outcome, 0, FAILURE_too_large);
        return false;
    }
    strbuf_clear(&apns->url);
    strbuf_append_string(&apns->url, apns->base_url);
    strbuf_append_string(&apns->url, "/3/device/");
    strbuf_append_string(&apns->url, notice->target);
    strbuf_clear(&apns->authorization);
    strbuf_append_string(&apns->authorization, "bearer ");
    strbuf_append_string(&apns->authorization, token);
    header_list_clear(&apns->headers);
    apns_headers_build(&apns->headers, notice, apns->topic);
    header_add(&apns->headers, "authorization", apns->authorization.data);
    return true;
}

static void apns_send(void *state, const struct notice *notice, struct attempt *attempt)
{
    struct apns *apns = state;
    struct outcome outcome;
    if (!build(apns, notice, &outcome)) {
        sender_end_later(apns->sender, attempt, &outcome);
        return;
    }
    struct transfer_request request = {.method = "POST",
                                       .url = apns->url.data,
                                       .headers = header_list_lines(&apns->headers),
                                       .header_count = apns->headers.count,
                                       .body = apns->body.data,
                                       .body_length = apns->body.length,
                                       .starts_until_ms = notice->expires_ms,
                                       .is_http2_only = true};
    sender_send(apns->sender, &request, attempt, on_answer, apns, 0);
}

static void apns_destroy(void **state)
{
    struct apns *apns = *state;
    *state = NULL;
    if (apns == NULL)
        return;
    sender_destroy(&apns->sender);
    shared_token_destroy(&apns->token);
    explicit_bzero(apns->key_pem, strlen(apns->key_pem));
    mem_free(apns->key_pem);
    strbuf_finish(&apns->url);
    strbuf_finish(&apns->body);
    strbuf_finish(&apns->authorization);
    header_list_finish(&apns->headers);
    mem_free(apns);
}

static bool has_all_settings(const struct notifier_settings *settings, struct strbuf *error)
{
    const struct {
        const char *name, *value;
    } needed[] = {{"apns_key_id", settings->apns_key_id},
                  {"apns_team_id", settings->apns_team_id},
                  {"apns_topic", settings->apns_topic}};
    bool is_good = true;
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (needed[i].value[0] == '\0' || !header_value_is_sane(needed[i].value)) {
            strbuf_appendf(error, "%s: is needed for APNs\n", needed[i].name);
            is_good = false;
        }
    return is_good;
}

/* The key, when it signs. mem_free. */
static char *read_key(const struct notifier_settings *settings, struct strbuf *error)
{
    struct strbuf content;
    char *read_error = NULL, *key = NULL, *token = NULL;
    strbuf_init(&content, 512);
    if (!file_read(settings->apns_key_file, &content, &read_error))
        strbuf_appendf(error, "apns_key_file: %s\n", read_error);
    else {
        key = mem_strdup(content.data);
        token = apns_provider_token(key, settings->apns_key_id, settings->apns_team_id, clock_wall_ms());
    }
    if (key != NULL && token == NULL) {
        strbuf_appendf(error, "apns_key_file: %s is no P-256 key in PEM\n", settings->apns_key_file);
        mem_free(key);
        key = NULL;
    }
    explicit_bzero(content.data, content.capacity);
    strbuf_finish(&content);
    mem_free(read_error);
    mem_free(token);
    return key;
}

static void *apns_create(const struct provider_env *env, struct strbuf *error)
{
    const struct notifier_settings *settings = env->settings;
    char *key = has_all_settings(settings, error) ? read_key(settings, error) : NULL;
    if (key == NULL)
        return NULL;
    struct apns *apns = mem_alloc(sizeof(*apns));
    apns->key_pem = key;
    apns->key_id = settings->apns_key_id;
    apns->team_id = settings->apns_team_id;
    apns->topic = settings->apns_topic;
    apns->base_url = settings->apns_url;
    strbuf_init(&apns->url, 256);
    strbuf_init(&apns->body, APNS_PAYLOAD_MAX);
    strbuf_init(&apns->authorization, 512);
    header_list_init(&apns->headers);
    apns->sender = sender_create(env);
    strbuf_appendf(&apns->url, "apns.%s.%s", apns->team_id, apns->key_id);
    apns->token = shared_token_create(env->shared_tokens, apns->url.data, TOKEN_RENEW_MS, make_token, apns);
    return apns;
}

const struct provider apns_provider = {.channel = CHANNEL_APNS,
                                       .is_configured = apns_is_configured,
                                       .create = apns_create,
                                       .destroy = apns_destroy,
                                       .send = apns_send};
