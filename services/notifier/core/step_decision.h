#ifndef HANSOM_STEP_DECISION_H
#define HANSOM_STEP_DECISION_H
/*
 * What becomes of a step that has come due. Pure. A critical event is only ever expanded, or ended because it was
 * acknowledged or has expired: nothing that limits may hold it back.
 */
#include "core/ledger_states.h"
#include "core/local_time.h"

struct step_facts {
    enum step step;
    bool is_critical, is_acknowledged;
    bool is_superseded; /* a newer event of the same collapse key is there */
    bool is_muted;      /* the user does not want this type */
    bool push_off, email_off, sms_off;
    bool has_target; /* a live device, or a contact */
    int64_t expires_ms;
    struct quiet_hours quiet;
    const char *timezone;
    unsigned pushes_this_hour, pushes_per_hour;
    int64_t hour_ends_ms;
};

struct step_decision {
    enum step_state state; /* waiting: look again at due_ms */
    const char *reason;    /* a literal, "" for none */
    int64_t due_ms;
    bool uses_email, uses_sms; /* of a contact step that is done */
};
struct step_decision step_decide(const struct step_facts *facts, int64_t now_ms);

#endif
