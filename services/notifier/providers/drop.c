#include "core/outcome.h"
#include "providers/sender.h"

static bool drop_is_configured(const struct notifier_settings *settings)
{
    (void)settings;
    return true;
}

static void *drop_create(const struct provider_env *env, struct strbuf *error)
{
    (void)error;
    return sender_create(env);
}

static void drop_destroy(void **state)
{
    struct sender *sender = *state;
    *state = NULL;
    sender_destroy(&sender);
}

static void drop_send(void *state, const struct notice *notice, struct attempt *attempt)
{
    (void)notice;
    struct outcome outcome;
    outcome_accept(&outcome, 0, NULL);
    sender_end_later(state, attempt, &outcome);
}

const struct provider drop_provider = {.channel = CHANNEL_NONE,
                                       .is_configured = drop_is_configured,
                                       .create = drop_create,
                                       .destroy = drop_destroy,
                                       .send = drop_send};
