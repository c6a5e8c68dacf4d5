#include "core/step_decision.h"

static struct step_decision ended(enum step_state state, const char *reason)
{
    return (struct step_decision){.state = state, .reason = reason};
}

static struct step_decision done(const struct step_facts *facts)
{
    struct step_decision decision = ended(STEP_done, facts->has_target ? "" : "no_target");
    decision.uses_email = facts->is_critical || !facts->email_off;
    decision.uses_sms = facts->is_critical || !facts->sms_off;
    return decision;
}

/* What would still wait when the event ends is ended now. */
static struct step_decision wait_until(const struct step_facts *facts, int64_t due_ms, const char *reason)
{
    if (facts->expires_ms != 0 && due_ms >= facts->expires_ms)
        return ended(STEP_suppressed, reason);
    return (struct step_decision){.state = STEP_waiting, .reason = reason, .due_ms = due_ms};
}

struct step_decision step_decide(const struct step_facts *facts, int64_t now_ms)
{
    if (facts->is_acknowledged)
        return ended(STEP_stopped, "acknowledged");
    if (facts->expires_ms != 0 && facts->expires_ms <= now_ms)
        return ended(STEP_expired, "");
    if (facts->is_critical)
        return done(facts);
    if (facts->is_muted || (facts->step == STEP_PUSH && facts->push_off))
        return ended(STEP_suppressed, "muted");
    if (facts->is_superseded)
        return ended(STEP_suppressed, "superseded");
    int64_t quiet_until_ms = quiet_until(&facts->quiet, facts->timezone, now_ms);
    if (quiet_until_ms != 0)
        return wait_until(facts, quiet_until_ms, "quiet_hours");
    if (facts->step == STEP_PUSH && facts->pushes_this_hour >= facts->pushes_per_hour)
        return wait_until(facts, facts->hour_ends_ms, "rate");
    return done(facts);
}
