#include "notifier_metrics.h"

#include "core/ledger_states.h"
#include "notice.h"

static const char *const stream_names[] = {"events", "acks", "chat", NULL};
static const char *const step_names[] = {"none", "push", "contact", NULL}; /* enum step */
static const char *const request_outcomes[] = {"ok", "refused", "unavailable", NULL};
const char *const request_names[] = {
#define REQUEST(name, subject, request, reply) #name,
#include "requests.def"
    NULL,
};

#define COUNTER_BUCKETS NULL, 0
#define GAUGE_BUCKETS NULL, 0
#define HISTOGRAM_BUCKETS METRIC_LATENCY_SECONDS, 16
const struct metric_def notifier_metric_defs[NOTIFIER_METRIC_COUNT] = {
#define ROW(id, full_name, type, text, label0, values0, label1, values1)                                               \
    {full_name, METRIC_##type, text, {{label0, values0}, {label1, values1}}, type##_BUCKETS},
    NOTIFIER_METRICS(ROW)
#undef ROW
};
