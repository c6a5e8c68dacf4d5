#include "presence_metrics.h"

/* Each list in the order of its protobuf enum, UNSPECIFIED first. */
static const char *const status_names[] = {"unknown", "online", "late", "offline", NULL};
static const char *const reason_names[] = {"none", "heartbeat", "leave", "timeout", "gateway_lost", "superseded", NULL};
static const char *const cause_names[] = {"none",        "no_heartbeat", "gps_lost", "background",
                                          "low_battery", "network",      NULL};
static const char *const why_names[] = {"none", "available", "on_booking", "low_power", "no_viewers", NULL};
static const char *const wake_outcomes[] = {"sent", "answered", NULL};
static const char *const beat_outcomes[] = {"accepted", "superseded", "malformed", NULL};

#define COUNTER_BUCKETS NULL, 0
#define GAUGE_BUCKETS NULL, 0
const struct metric_def presence_metric_defs[PRESENCE_METRIC_COUNT] = {
#define ROW(id, full_name, type, text, label0, values0, label1, values1)                                               \
    {full_name, METRIC_##type, text, {{label0, values0}, {label1, values1}}, type##_BUCKETS},
    PRESENCE_METRICS(ROW)
#undef ROW
};
