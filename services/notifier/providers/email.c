#include "base/clock.h"
#include "core/email_message.h"
#include "core/outcome.h"
#include "notifier_settings.h"
#include "providers/sender.h"

struct email {
    struct sender *sender;
    const struct notifier_settings *settings;
    struct email_sender from;
    struct strbuf message;
};

static bool email_is_configured(const struct notifier_settings *settings)
{
    return settings->email_url[0] != '\0';
}

/* tag: the delivery's id, of which the Message-ID is made. */
static void on_answer(void *state, uint64_t tag, const struct transfer *transfer, const struct transfer_reply *reply,
                      struct outcome *outcome)
{
    (void)transfer;
    struct email *email = state;
    email_judge(outcome, reply->status, strncmp(reply->problem, "RCPT ", 5) == 0);
    if (outcome->verdict == VERDICT_ACCEPTED)
        email_message_id(outcome->provider_id, sizeof(outcome->provider_id), &email->from, tag);
}

static void email_send(void *state, const struct notice *notice, struct attempt *attempt)
{
    struct email *email = state;
    const struct notifier_settings *settings = email->settings;
    struct outcome outcome;
    strbuf_clear(&email->message);
    if (!email_message_build(&email->message, &email->from, notice, clock_wall_ms())) {
        bool is_address = !email_address_is_sane(notice->target);
        outcome_reject(&outcome, 0, is_address ? FAILURE_dead_target : FAILURE_bad_request);
        outcome.verdict = is_address ? VERDICT_DEAD : VERDICT_REJECTED;
        sender_end_later(email->sender, attempt, &outcome);
        return;
    }
    struct transfer_mail mail = {.from = email->from.address,
                                 .to = notice->target,
                                 .user = settings->email_user,
                                 .password = settings->email_password,
                                 .requires_tls = settings->email_tls == EMAIL_TLS_REQUIRED};
    struct transfer_request request = {.url = settings->email_url,
                                       .body = email->message.data,
                                       .body_length = email->message.length,
                                       .starts_until_ms = notice->expires_ms,
                                       .mail = &mail};
    sender_send(email->sender, &request, attempt, on_answer, email, notice->delivery_id);
}

static void email_destroy(void **state)
{
    struct email *email = *state;
    *state = NULL;
    if (email == NULL)
        return;
    sender_destroy(&email->sender);
    email_sender_finish(&email->from);
    strbuf_finish(&email->message);
    mem_free(email);
}

static void *email_create(const struct provider_env *env, struct strbuf *error)
{
    const struct notifier_settings *settings = env->settings;
    struct email_sender from;
    bool is_url = strncmp(settings->email_url, "smtp://", 7) == 0 || strncmp(settings->email_url, "smtps://", 8) == 0;
    bool is_sender = email_sender_parse(&from, settings->email_from);
    if (!is_url)
        strbuf_append_string(error, "email_url: must begin with smtp:// or smtps://\n");
    if (!is_sender)
        strbuf_append_string(error, "email_from: must be an address, or \"Name <address>\"\n");
    if (!is_url || !is_sender) {
        email_sender_finish(&from);
        return NULL;
    }
    struct email *email = mem_alloc(sizeof(*email));
    email->settings = settings;
    email->from = from;
    email->sender = sender_create(env);
    strbuf_init(&email->message, 4096);
    return email;
}

const struct provider email_provider = {.channel = CHANNEL_EMAIL,
                                        .is_configured = email_is_configured,
                                        .create = email_create,
                                        .destroy = email_destroy,
                                        .send = email_send};
