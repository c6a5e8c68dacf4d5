#include "core/ledger_states.h"

const char *const step_state_names[] = {
#define STEP_STATE(name, number) [number] = #name,
#include "core/ledger_states.def"
    NULL};
const char *const delivery_state_names[] = {
#define DELIVERY_STATE(name, number) [number] = #name,
#include "core/ledger_states.def"
    NULL};
const char *const attempt_outcome_names[] = {
#define ATTEMPT_OUTCOME(name, number) [number] = #name,
#include "core/ledger_states.def"
    NULL};
const char *const policy_names[] = {
#define POLICY(name, number) [number] = #name,
#include "core/ledger_states.def"
    NULL};

const char *ledger_name(const char *const *names, int64_t number)
{
    for (int64_t i = 0; names[i] != NULL; i++)
        if (i == number)
            return names[i];
    return "unknown";
}
