#ifndef HANSOM_RETRY_RULES_H
#define HANSOM_RETRY_RULES_H
/* What becomes of a delivery after an attempt. Pure but for the jitter. */
#include "core/ledger_states.h"
#include "notice.h"

struct retry_settings {
    uint64_t base_ms, cap_ms;
};
struct retry_facts {
    unsigned attempt, limit; /* attempts are counted from 1 */
    int64_t created_ms, expires_ms;
};
struct retry_decision {
    enum delivery_state state;
    int64_t due_ms; /* when the state is due */
};
/* Full jitter, never sooner than the provider wants. What could only be tried after its end has expired; what was tried
 * often enough is dead. What found no place waits a part of its age, so that a crowd does not come again and again. */
struct retry_decision retry_decide(const struct outcome *outcome, const struct retry_facts *facts,
                                   const struct retry_settings *settings, int64_t now_ms);

#endif
