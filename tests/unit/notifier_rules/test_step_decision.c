#include <criterion/criterion.h>

#include "core/step_decision.h"

/* 2025-01-01T23:30:00Z */
#define NIGHT_MS 1735774200000
#define MORNING_MS (NIGHT_MS + 7 * 3600000 + 1800000) /* 07:00Z */

static struct step_facts plain(enum step step)
{
    return (struct step_facts){
        .step = step, .has_target = true, .timezone = "UTC", .pushes_per_hour = 3, .hour_ends_ms = NIGHT_MS + 1800000};
}

static const struct quiet_hours night = {true, 22 * 60, 7 * 60};

static void expect(const struct step_facts *facts, enum step_state state, const char *reason, int64_t due_ms)
{
    struct step_decision decision = step_decide(facts, NIGHT_MS);
    cr_expect_eq(decision.state, state, "%s", step_state_names[decision.state]);
    cr_expect_str_eq(decision.reason, reason);
    cr_expect_eq(decision.due_ms, due_ms);
}

Test(step_decision, what_is_not_critical_waits_or_ends)
{
    struct step_facts facts = plain(STEP_PUSH);
    expect(&facts, STEP_done, "", 0);
    facts.quiet = night;
    expect(&facts, STEP_waiting, "quiet_hours", MORNING_MS);
    facts.expires_ms = MORNING_MS;
    expect(&facts, STEP_suppressed, "quiet_hours", 0);
    facts.expires_ms = NIGHT_MS;
    expect(&facts, STEP_expired, "", 0);
    facts = plain(STEP_PUSH);
    facts.pushes_this_hour = 2;
    expect(&facts, STEP_done, "", 0);
    facts.pushes_this_hour = 3;
    expect(&facts, STEP_waiting, "rate", NIGHT_MS + 1800000);
    facts.is_superseded = true;
    expect(&facts, STEP_suppressed, "superseded", 0);
    facts.is_muted = true;
    expect(&facts, STEP_suppressed, "muted", 0);
    facts.is_acknowledged = true;
    expect(&facts, STEP_stopped, "acknowledged", 0);
    facts = plain(STEP_PUSH);
    facts.push_off = true;
    expect(&facts, STEP_suppressed, "muted", 0);
    facts.step = STEP_CONTACT;
    expect(&facts, STEP_done, "", 0);
}

Test(step_decision, nothing_that_limits_holds_back_what_is_critical)
{
    struct step_facts facts = plain(STEP_PUSH);
    facts.is_critical = facts.is_muted = facts.push_off = facts.email_off = facts.sms_off = facts.is_superseded = true;
    facts.quiet = night;
    facts.pushes_this_hour = 1000;
    expect(&facts, STEP_done, "", 0);
    struct step_decision decision = step_decide(&facts, NIGHT_MS);
    cr_expect(decision.uses_email && decision.uses_sms);
    facts.is_acknowledged = true;
    expect(&facts, STEP_stopped, "acknowledged", 0);
    facts.is_acknowledged = false;
    facts.expires_ms = NIGHT_MS;
    expect(&facts, STEP_expired, "", 0);
}

Test(step_decision, contacts_follow_wishes_and_nobody_to_reach_is_said)
{
    struct step_facts facts = plain(STEP_CONTACT);
    facts.sms_off = true;
    struct step_decision decision = step_decide(&facts, NIGHT_MS);
    cr_expect(decision.uses_email && !decision.uses_sms);
    facts.has_target = false;
    expect(&facts, STEP_done, "no_target", 0);
}
