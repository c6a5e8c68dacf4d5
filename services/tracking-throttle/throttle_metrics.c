#include "throttle_metrics.h"

#include "throttle.h"

#define COUNTER_BUCKETS NULL, 0
#define GAUGE_BUCKETS NULL, 0
#define HISTOGRAM_BUCKETS METRIC_LATENCY_SECONDS, 16
const struct metric_def throttle_metric_defs[THROTTLE_METRIC_COUNT] = {
#define ROW(id, full_name, type, text, label, values)                                                                  \
    {full_name, METRIC_##type, text, {{label, values}, {NULL, NULL}}, type##_BUCKETS},
    THROTTLE_METRICS(ROW)
#undef ROW
};
