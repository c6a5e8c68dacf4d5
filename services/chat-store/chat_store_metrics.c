#include "chat_store_metrics.h"

/* In the order of enum ChatKind. */
static const char *const kind_names[] = {"none", "message", "edit", "delete", "system", NULL};
static const char *const batch_outcomes[] = {"committed", "uncertain", "failed", "unavailable", NULL};
static const char *const question_names[] = {"find", "open", "history", "list", "erase", NULL};
static const char *const request_outcomes[] = {"ok", "malformed", "unavailable", NULL};

#define COUNTER_BUCKETS NULL, 0
#define GAUGE_BUCKETS NULL, 0
#define HISTOGRAM_BUCKETS METRIC_LATENCY_SECONDS, 16
const struct metric_def chat_store_metric_defs[CHAT_STORE_METRIC_COUNT] = {
#define ROW(id, full_name, type, text, label0, values0, label1, values1)                                               \
    {full_name, METRIC_##type, text, {{label0, values0}, {label1, values1}}, type##_BUCKETS},
    CHAT_STORE_METRICS(ROW)
#undef ROW
};
