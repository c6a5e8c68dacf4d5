#ifndef HANSOM_LEDGER_STATES_H
#define HANSOM_LEDGER_STATES_H
/* ledger_states.def as enums, and the names. */
#include "base/base.h"

enum step_state {
#define STEP_STATE(name, number) STEP_##name = (number),
#include "core/ledger_states.def"
};
enum delivery_state {
#define DELIVERY_STATE(name, number) DELIVERY_##name = (number),
#include "core/ledger_states.def"
};
enum attempt_outcome {
#define ATTEMPT_OUTCOME(name, number) OUTCOME_##name = (number),
#include "core/ledger_states.def"
};
enum policy {
#define POLICY(name, number) POLICY_##name = (number),
#include "core/ledger_states.def"
    POLICY_END,
};

enum step { STEP_PUSH = 1, STEP_CONTACT = 2 };
#define STEP_MAX STEP_CONTACT
enum priority { PRIORITY_CRITICAL, PRIORITY_OTHER, PRIORITY_COUNT };

/* Each NULL-terminated, in the numbers' order. */
extern const char *const step_state_names[], *const delivery_state_names[], *const attempt_outcome_names[],
                                                                                *const policy_names[];
/* A number of the database as text; "unknown" when it is none of them. */
const char *ledger_name(const char *const *names, int64_t number);

#endif
