#include "backoffice_metrics.h"

#include "routes.h"

static const char *const status_classes[] = {"2xx", "4xx", "5xx", NULL};
static const char *const token_occasions[] = {"session", "refresh", NULL};
static const char *const refresh_outcomes[] = {"ok", "unauthorized", "reuse", "unavailable", NULL};
static const char *const booking_changes[] = {"created", "updated", "unchanged", "refused", NULL};
static const char *const outbox_buckets[] = {"bookings", "sessions", NULL};

#define COUNTER_BUCKETS NULL, 0
#define GAUGE_BUCKETS NULL, 0
#define HISTOGRAM_BUCKETS METRIC_LATENCY_SECONDS, 16
const struct metric_def backoffice_metric_defs[BACKOFFICE_METRIC_COUNT] = {
#define ROW(id, full_name, type, text, label0, values0, label1, values1)                                               \
    {full_name, METRIC_##type, text, {{label0, values0}, {label1, values1}}, type##_BUCKETS},
    BACKOFFICE_METRICS(ROW)
#undef ROW
};

unsigned status_class(unsigned status)
{
    return status < 400 ? 0 : status < 500 ? 1 : 2;
}
