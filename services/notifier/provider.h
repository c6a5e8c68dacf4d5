#ifndef HANSOM_PROVIDER_H
#define HANSOM_PROVIDER_H
/*
 * One channel's provider: a const struct of a few functions in a file of its own under providers/, and one row of the
 * registry (providers/registry.c). A provider formats, sends and judges the answer; it neither retries nor remembers
 * deliveries: that is dispatcher.c's. Loop thread only.
 */
#include <uv.h>

#include "base/strbuf.h"
#include "notice.h"

struct notifier_settings;
struct transfer_client;
struct shared_tokens;
struct attempt; /* the dispatcher's */

struct provider_env {
    uv_loop_t *loop;
    const struct notifier_settings *settings;
    struct transfer_client *transfers;
    struct shared_tokens *shared_tokens;
};

struct provider {
    enum channel channel;
    /* Are there settings for it? */
    bool (*is_configured)(const struct notifier_settings *settings);
    /* Reads keys and the like. NULL with a text appended to error, which names the setting, when they are unusable. */
    void *(*create)(const struct provider_env *env, struct strbuf *error);
    /* Attempts under way get no word any more. Clears the pointer; NULL is allowed. */
    void (*destroy)(void **state);
    /* Begins an attempt. attempt_done comes exactly once, never before this returns. */
    void (*send)(void *state, const struct notice *notice, struct attempt *attempt);
};

/* Called by providers. */
void attempt_done(struct attempt *attempt, const struct outcome *outcome);

/* By channel; index 0 is NULL. drop_provider takes everything and sends nothing (development, load tests). */
extern const struct provider *const providers[CHANNEL_END];
extern const struct provider fcm_provider, apns_provider, webpush_provider, sms_provider, email_provider,
    webhook_provider, drop_provider;

#endif
