#ifndef HANSOM_POLICY_H
#define HANSOM_POLICY_H
/*
 * Which steps back an event, and when. Pure.
 *
 * What is critical is always pushed: a policy that says `none` is `push` for it. A critical event of a type that is not
 * critical by itself follows default_critical_policy unless a setting names its type.
 */
#include "base/strbuf.h"
#include "core/ledger_states.h"

struct policy_settings_text {
    const char *type_policies; /* "type=policy,type=policy" */
    const char *default_policy, *default_critical_policy;
};

struct policies;
/* NULL with a text appended to error that names the setting. */
struct policies *policies_create(const struct policy_settings_text *settings, struct strbuf *error);
void policies_destroy(struct policies **policies);

struct plan {
    enum policy policy;
    bool is_critical, is_immediate, is_silent;
};
struct plan policies_plan(const struct policies *policies, const char *type, bool is_critical);
/* Of a type in the built-in table; false for others. */
bool type_is_silent(const char *type);

struct plan_times {
    int64_t push_after_ms, contact_after_ms; /* grace times */
    int64_t created_ms, expires_ms;          /* expires_ms 0: never */
};
#define NO_STEP INT64_MIN
struct planned_steps {
    int64_t push_due_ms, contact_due_ms; /* NO_STEP: there is none */
};
/* An event that ends sooner than its ladder has its steps moved forward, so that each still comes in time: a push that
 * would come too late is due at once, a contact that would come too late half-way between the push and the end. */
struct planned_steps plan_steps(const struct plan *plan, const struct plan_times *times);

#endif
