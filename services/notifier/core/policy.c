#include "core/policy.h"

#include "base/hashmap.h"

struct policies {
    enum policy normal, critical;
    struct hashmap *named; /* type -> one of policy_values */
};

/* What the map points to. */
static const enum policy policy_values[] = {POLICY_none, POLICY_push, POLICY_ladder, POLICY_always};

static const struct event_type {
    const char *name;
    enum policy policy;
    bool is_critical, is_immediate, is_silent;
} event_types[] = {
#define EVENT_TYPE(name, policy, is_critical, is_immediate, is_silent)                                                 \
    {#name, POLICY_##policy, is_critical, is_immediate, is_silent},
#include "core/event_types.def"
};

static const struct event_type *find_type(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(event_types); i++)
        if (str_equal(event_types[i].name, name))
            return &event_types[i];
    return NULL;
}

bool type_is_silent(const char *type)
{
    const struct event_type *known = find_type(type);
    return known != NULL && known->is_silent;
}

static const enum policy *find_policy(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(policy_values); i++)
        if (str_equal(policy_names[policy_values[i]], name))
            return &policy_values[i];
    return NULL;
}

static bool take_default(const char *setting, const char *text, enum policy *policy_r, struct strbuf *error)
{
    const enum policy *policy = find_policy(text);
    if (policy == NULL)
        strbuf_appendf(error, "%s: \"%s\" is not one of none, push, ladder, always", setting, text);
    else
        *policy_r = *policy;
    return policy != NULL;
}

static bool take_named(struct policies *policies, char *entry, struct strbuf *error)
{
    char *equals = strchr(entry, '=');
    if (equals != NULL)
        *equals = '\0';
    const enum policy *policy = equals == NULL ? NULL : find_policy(equals + 1);
    if (policy == NULL || *entry == '\0') {
        strbuf_appendf(error, "type_policies: \"%s\" is not type=none|push|ladder|always", entry);
        return false;
    }
    hashmap_set(policies->named, entry, (void *)policy);
    return true;
}

static bool take_all_named(struct policies *policies, const char *text, struct strbuf *error)
{
    char *copy = mem_strdup(text), *rest = copy;
    bool is_good = true;
    for (char *entry; is_good && (entry = strsep(&rest, ",")) != NULL;)
        is_good = *entry == '\0' || take_named(policies, entry, error);
    mem_free(copy);
    return is_good;
}

struct policies *policies_create(const struct policy_settings_text *settings, struct strbuf *error)
{
    struct policies *policies = mem_alloc(sizeof(*policies));
    policies->named = hashmap_create();
    if (!take_default("default_policy", settings->default_policy, &policies->normal, error) ||
        !take_default("default_critical_policy", settings->default_critical_policy, &policies->critical, error) ||
        !take_all_named(policies, settings->type_policies, error))
        policies_destroy(&policies);
    return policies;
}

void policies_destroy(struct policies **policies_pointer)
{
    struct policies *policies = *policies_pointer;
    *policies_pointer = NULL;
    if (policies == NULL)
        return;
    hashmap_destroy(&policies->named);
    mem_free(policies);
}

static enum policy choose(const struct policies *policies, const char *type, const struct event_type *known,
                          bool is_critical)
{
    const enum policy *named = hashmap_get(policies->named, type);
    if (named != NULL)
        return *named;
    if (known != NULL && (known->is_critical || !is_critical))
        return known->policy;
    return is_critical ? policies->critical : policies->normal;
}

struct plan policies_plan(const struct policies *policies, const char *type, bool is_critical)
{
    const struct event_type *known = find_type(type);
    struct plan plan = {.is_critical = is_critical || (known != NULL && known->is_critical)};
    plan.policy = choose(policies, type, known, plan.is_critical);
    if (plan.is_critical && plan.policy == POLICY_none)
        plan.policy = POLICY_push;
    plan.is_immediate = plan.policy == POLICY_always || (known != NULL && known->is_immediate);
    plan.is_silent = known != NULL && known->is_silent;
    return plan;
}

struct planned_steps plan_steps(const struct plan *plan, const struct plan_times *times)
{
    struct planned_steps steps = {NO_STEP, NO_STEP};
    if (plan->policy == POLICY_none)
        return steps;
    int64_t end_ms = times->expires_ms == 0 ? INT64_MAX : times->expires_ms;
    int64_t push_ms = times->created_ms + (plan->is_immediate ? 0 : times->push_after_ms);
    steps.push_due_ms = push_ms >= end_ms ? times->created_ms : push_ms;
    if (plan->policy == POLICY_push)
        return steps;
    int64_t contact_ms = steps.push_due_ms + (plan->policy == POLICY_always ? 0 : times->contact_after_ms);
    steps.contact_due_ms = contact_ms >= end_ms ? steps.push_due_ms + (end_ms - steps.push_due_ms) / 2 : contact_ms;
    return steps;
}
