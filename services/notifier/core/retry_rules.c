#include "core/retry_rules.h"

#include "base/backoff.h"
#include "base/ids.h"

static struct retry_decision again(const struct outcome *outcome, const struct retry_facts *facts,
                                   const struct retry_settings *settings, int64_t now_ms)
{
    uint64_t wait_ms = backoff_full_jitter_ms(facts->attempt - 1, settings->base_ms, settings->cap_ms);
    if (wait_ms < outcome->retry_after_ms)
        wait_ms = outcome->retry_after_ms + random_below(settings->base_ms + 1);
    struct retry_decision decision = {DELIVERY_due, now_ms + (int64_t)wait_ms};
    if (facts->attempt >= facts->limit)
        decision.state = DELIVERY_dead;
    else if (decision.due_ms >= facts->expires_ms)
        decision.state = DELIVERY_expired;
    return decision;
}

static struct retry_decision when_there_is_place(const struct retry_facts *facts, const struct retry_settings *settings,
                                                 int64_t now_ms)
{
    uint64_t age_ms = now_ms > facts->created_ms ? (uint64_t)(now_ms - facts->created_ms) : 0;
    uint64_t wait_ms = settings->base_ms + age_ms / 4;
    wait_ms = wait_ms < settings->cap_ms ? wait_ms : settings->cap_ms;
    struct retry_decision decision = {DELIVERY_due, now_ms + (int64_t)(wait_ms + random_below(wait_ms + 1))};
    if (decision.due_ms >= facts->expires_ms)
        decision.state = DELIVERY_expired;
    return decision;
}

struct retry_decision retry_decide(const struct outcome *outcome, const struct retry_facts *facts,
                                   const struct retry_settings *settings, int64_t now_ms)
{
    switch (outcome->verdict) {
    case VERDICT_ACCEPTED:
        return (struct retry_decision){.state = DELIVERY_accepted};
    case VERDICT_RETRY:
        return again(outcome, facts, settings, now_ms);
    case VERDICT_LATER:
        return when_there_is_place(facts, settings, now_ms);
    case VERDICT_REJECTED:
    case VERDICT_DEAD:
        break;
    }
    return (struct retry_decision){.state = outcome->failure == FAILURE_expired ? DELIVERY_expired : DELIVERY_rejected};
}
