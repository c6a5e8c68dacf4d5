#include "base/clock.h"
#include "core/header_list.h"
#include "core/outcome.h"
#include "core/sms_message.h"
#include "notifier_settings.h"
#include "providers/sender.h"

struct sms {
    struct sender *sender;
    const struct notifier_settings *settings;
    struct sms_sender from;
    char *url;
    struct strbuf form;
};

static bool sms_is_configured(const struct notifier_settings *settings)
{
    return settings->sms_account[0] != '\0';
}

static void on_answer(void *state, uint64_t tag, const struct transfer *transfer, const struct transfer_reply *reply,
                      struct outcome *outcome)
{
    (void)state, (void)tag;
    sms_judge(outcome, reply->status, reply->body, transfer_retry_after_ms(transfer));
}

static void sms_send(void *state, const struct notice *notice, struct attempt *attempt)
{
    static const char *const headers[] = {"content-type: application/x-www-form-urlencoded"};
    struct sms *sms = state;
    strbuf_clear(&sms->form);
    sms_form_build(&sms->form, &sms->from, notice, clock_wall_ms());
    struct transfer_request request = {.method = "POST",
                                       .url = sms->url,
                                       .headers = headers,
                                       .header_count = ARRAY_LEN(headers),
                                       .body = sms->form.data,
                                       .body_length = sms->form.length,
                                       .starts_until_ms = notice->expires_ms,
                                       .basic_user = sms->settings->sms_account,
                                       .basic_password = sms->settings->sms_auth_token};
    sender_send(sms->sender, &request, attempt, on_answer, sms, 0);
}

static void sms_destroy(void **state)
{
    struct sms *sms = *state;
    *state = NULL;
    if (sms == NULL)
        return;
    sender_destroy(&sms->sender);
    strbuf_finish(&sms->form);
    mem_free(sms->url);
    mem_free(sms);
}

/* It is part of the URL's path. */
static bool account_is_sane(const char *account)
{
    return header_value_is_sane(account) && strpbrk(account, "/?#% ") == NULL;
}

static void *sms_create(const struct provider_env *env, struct strbuf *error)
{
    const struct notifier_settings *settings = env->settings;
    size_t before = error->length;
    if (!account_is_sane(settings->sms_account))
        strbuf_append_string(error, "sms_account: is no account SID\n");
    if (settings->sms_auth_token[0] == '\0')
        strbuf_append_string(error, "sms_auth_token: is needed for SMS\n");
    if (settings->sms_from[0] == '\0' && settings->sms_messaging_service[0] == '\0')
        strbuf_append_string(error, "sms_from: it or sms_messaging_service is needed for SMS\n");
    if (error->length > before)
        return NULL;
    struct sms *sms = mem_alloc(sizeof(*sms));
    struct strbuf url;
    strbuf_init(&url, 256);
    strbuf_appendf(&url, "%s/2010-04-01/Accounts/%s/Messages.json", settings->sms_url, settings->sms_account);
    sms->url = strbuf_take(&url);
    strbuf_finish(&url);
    sms->settings = settings;
    sms->from = (struct sms_sender){.from = settings->sms_from,
                                    .messaging_service = settings->sms_messaging_service,
                                    .status_callback_url = settings->sms_status_callback_url};
    strbuf_init(&sms->form, 1024);
    sms->sender = sender_create(env);
    return sms;
}

const struct provider sms_provider = {.channel = CHANNEL_SMS,
                                      .is_configured = sms_is_configured,
                                      .create = sms_create,
                                      .destroy = sms_destroy,
                                      .send = sms_send};
