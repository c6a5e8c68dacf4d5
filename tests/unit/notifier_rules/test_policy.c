#include <criterion/criterion.h>

#include "core/policy.h"

static struct policies *make(const char *named)
{
    struct strbuf error;
    strbuf_init(&error, 64);
    const struct policy_settings_text settings = {named, "push", "ladder"};
    struct policies *policies = policies_create(&settings, &error);
    cr_assert_not_null(policies, "%s", error.data);
    strbuf_finish(&error);
    return policies;
}

Test(policy, of_types)
{
    struct policies *policies = make("surge=none,assignment_offer=always,,newsletter=none");
    static const struct {
        const char *type;
        bool is_said_critical;
        enum policy policy;
        bool is_critical, is_immediate, is_silent;
    } rows[] = {
        {"assignment_withdrawn", false, POLICY_ladder, true, false, false},
        {"assignment_offer", false, POLICY_always, true, true, false},
        {"booking_status_changed", false, POLICY_push, false, false, false},
        {"booking_status_changed", true, POLICY_ladder, true, false, false},
        {"driver_wake", false, POLICY_push, true, true, true},
        {"driver_wake", true, POLICY_push, true, true, true},
        {"chat_message", false, POLICY_push, false, true, false},
        {"anything", false, POLICY_push, false, false, false},
        {"anything", true, POLICY_ladder, true, false, false},
        {"newsletter", false, POLICY_none, false, false, false},
        {"newsletter", true, POLICY_push, true, false, false}, /* what is critical is always pushed */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan plan = policies_plan(policies, rows[i].type, rows[i].is_said_critical);
        cr_expect_eq(plan.policy, rows[i].policy, "%s: %s", rows[i].type, policy_names[plan.policy]);
        cr_expect_eq(plan.is_critical, rows[i].is_critical, "%s", rows[i].type);
        cr_expect_eq(plan.is_immediate, rows[i].is_immediate, "%s", rows[i].type);
        cr_expect_eq(plan.is_silent, rows[i].is_silent, "%s", rows[i].type);
    }
    policies_destroy(&policies);
    cr_assert_null(policies);
    policies_destroy(&policies);
}

Test(policy, settings_that_are_wrong_are_named)
{
    static const struct {
        struct policy_settings_text settings;
        const char *error;
    } rows[] = {
        {{"a=push,b", "push", "ladder"}, "type_policies: \"b\" is not type=none|push|ladder|always"},
        {{"a=maybe", "push", "ladder"}, "type_policies: \"a\" is not type=none|push|ladder|always"},
        {{"=push", "push", "ladder"}, "type_policies: \"\" is not type=none|push|ladder|always"},
        {{"", "often", "ladder"}, "default_policy: \"often\" is not one of none, push, ladder, always"},
        {{"", "push", ""}, "default_critical_policy: \"\" is not one of none, push, ladder, always"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf error;
        strbuf_init(&error, 64);
        cr_expect_null(policies_create(&rows[i].settings, &error));
        cr_expect_str_eq(error.data, rows[i].error);
        strbuf_finish(&error);
    }
}

#define BORN 1000000
static struct planned_steps steps_of(enum policy policy, bool is_immediate, int64_t expires_ms)
{
    const struct plan plan = {.policy = policy, .is_immediate = is_immediate};
    const struct plan_times times = {3000, 60000, BORN, expires_ms};
    return plan_steps(&plan, &times);
}

Test(policy, steps_in_time)
{
    static const struct {
        enum policy policy;
        bool is_immediate;
        int64_t expires_ms, push_due_ms, contact_due_ms;
    } rows[] = {
        {POLICY_none, false, 0, NO_STEP, NO_STEP},
        {POLICY_push, false, 0, BORN + 3000, NO_STEP},
        {POLICY_push, true, 0, BORN, NO_STEP},
        {POLICY_ladder, false, 0, BORN + 3000, BORN + 63000},
        {POLICY_always, true, 0, BORN, BORN},
        {POLICY_push, false, BORN + 2000, BORN, NO_STEP},                /* would come too late */
        {POLICY_ladder, false, BORN + 2000, BORN, BORN + 1000},          /* both would */
        {POLICY_ladder, false, BORN + 23000, BORN + 3000, BORN + 13000}, /* the contact would */
        {POLICY_ladder, false, BORN + 63001, BORN + 3000, BORN + 63000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct planned_steps steps = steps_of(rows[i].policy, rows[i].is_immediate, rows[i].expires_ms);
        cr_expect_eq(steps.push_due_ms, rows[i].push_due_ms, "row %zu: %lld", i, (long long)steps.push_due_ms);
        cr_expect_eq(steps.contact_due_ms, rows[i].contact_due_ms, "row %zu: %lld", i, (long long)steps.contact_due_ms);
    }
}

Test(policy, names_of_numbers)
{
    cr_assert_str_eq(ledger_name(delivery_state_names, DELIVERY_dead), "dead");
    cr_assert_str_eq(ledger_name(step_state_names, STEP_suppressed), "suppressed");
    cr_assert_str_eq(ledger_name(attempt_outcome_names, OUTCOME_uncertain), "uncertain");
    cr_assert_str_eq(ledger_name(policy_names, 17), "unknown");
    cr_assert_str_eq(ledger_name(policy_names, -1), "unknown");
}
