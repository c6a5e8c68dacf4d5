#include "base/clock.h"
#include "core/outcome.h"
#include "core/webhook_message.h"
#include "notifier_settings.h"
#include "providers/sender.h"

#define SECRET_LENGTH_MIN 24

struct webhook {
    struct sender *sender;
    const char *url; /* of the settings */
    struct strbuf key, body;
    struct header_list headers;
};

static bool webhook_is_configured(const struct notifier_settings *settings)
{
    return settings->webhook_url[0] != '\0';
}

static void on_answer(void *state, uint64_t tag, const struct transfer *transfer, const struct transfer_reply *reply,
                      struct outcome *outcome)
{
    (void)state, (void)tag;
    outcome_of_http(outcome, reply->status, transfer_retry_after_ms(transfer));
    if (reply->status == 401 || reply->status == 403) /* we have no credentials to mend: it does not want this */
        outcome_reject(outcome, reply->status, FAILURE_unauthorized);
}

static void webhook_send(void *state, const struct notice *notice, struct attempt *attempt)
{
    struct webhook *webhook = state;
    strbuf_clear(&webhook->body);
    header_list_clear(&webhook->headers);
    webhook_body_build(&webhook->body, notice);
    webhook_headers_build(&webhook->headers, notice, &webhook->key, &webhook->body, clock_wall_ms());
    struct transfer_request request = {.method = "POST",
                                       .url = webhook->url,
                                       .headers = header_list_lines(&webhook->headers),
                                       .header_count = webhook->headers.count,
                                       .body = webhook->body.data,
                                       .body_length = webhook->body.length,
                                       .starts_until_ms = notice->expires_ms,
                                       .is_foreign = true};
    sender_send(webhook->sender, &request, attempt, on_answer, webhook, 0);
}

static void webhook_destroy(void **state)
{
    struct webhook *webhook = *state;
    *state = NULL;
    if (webhook == NULL)
        return;
    sender_destroy(&webhook->sender);
    explicit_bzero(webhook->key.data, webhook->key.length);
    strbuf_finish(&webhook->key);
    strbuf_finish(&webhook->body);
    header_list_finish(&webhook->headers);
    mem_free(webhook);
}

static void *webhook_create(const struct provider_env *env, struct strbuf *error)
{
    const struct notifier_settings *settings = env->settings;
    bool is_url = strncmp(settings->webhook_url, "https://", 8) == 0 ||
                  (settings->allow_private_targets && strncmp(settings->webhook_url, "http://", 7) == 0);
    bool is_secret = strlen(settings->webhook_secret) >= SECRET_LENGTH_MIN;
    if (!is_url)
        strbuf_append_string(error, "webhook_url: must begin with https://\n");
    if (!is_secret)
        strbuf_appendf(error, "webhook_secret: must have at least %d characters\n", SECRET_LENGTH_MIN);
    if (!is_url || !is_secret)
        return NULL;
    struct webhook *webhook = mem_alloc(sizeof(*webhook));
    webhook->url = settings->webhook_url;
    strbuf_init(&webhook->key, 64);
    strbuf_init(&webhook->body, 4096);
    header_list_init(&webhook->headers);
    webhook_key(&webhook->key, settings->webhook_secret);
    webhook->sender = sender_create(env);
    return webhook;
}

const struct provider webhook_provider = {.channel = CHANNEL_WEBHOOK,
                                          .is_configured = webhook_is_configured,
                                          .create = webhook_create,
                                          .destroy = webhook_destroy,
                                          .send = webhook_send};
