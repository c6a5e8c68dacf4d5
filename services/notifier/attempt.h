#ifndef HANSOM_ATTEMPT_H
#define HANSOM_ATTEMPT_H
/* One try of one delivery: made from a claimed row, given to a provider, recorded. */
#include "base/list.h"
#include "core/retry_rules.h"
#include "notifier.h"

struct dispatcher;

struct attempt {
    struct list_node node; /* of those with a provider, then of those to be recorded */
    struct list_node held; /* of all that are claimed and not recorded, the oldest first */
    uint64_t claimed_ms;   /* by the monotonic clock, when the claim was sent */
    struct dispatcher *dispatcher;
    struct notice notice; /* its strings: data_json and the like in texts, title and body in theirs */
    char *texts;
    struct strbuf title, body;
    enum step step;
    unsigned limit;       /* of attempts */
    bool is_acknowledged; /* the event, since the delivery was made */
    uint64_t begun_us;
    /* once it has ended */
    struct outcome outcome;
    struct retry_decision decision;
    int64_t ended_ms;
};

/* What dispatcher.c claims with: the columns in the order that attempt_from_row reads them. Parameters: priority,
 * limit, now, end of the lease, channels[]. */
extern const char attempt_claim_sql[];
struct attempt *attempt_from_row(struct notifier *app, const struct pg_result *result, size_t row);
void attempt_destroy(struct attempt **attempt);

#endif
