#ifndef HANSOM_THROTTLE_METRICS_H
#define HANSOM_THROTTLE_METRICS_H
#include "metrics/metrics.h"

#define THROTTLE_METRICS(ROW)                                                                                          \
    ROW(FIXES, "hansom_throttle_fixes_total", COUNTER, "Fixes by verdict.", "verdict", fix_verdict_names)              \
    ROW(EMITTED, "hansom_throttle_emitted_total", COUNTER, "Positions shown.", NULL, NULL)                             \
    ROW(CONFLATED, "hansom_throttle_conflated_total", COUNTER,                                                         \
        "Positions replaced by a newer one before being shown.", NULL, NULL)                                           \
    ROW(BREAKS, "hansom_throttle_breaks_total", COUNTER, "Tracks broken because a new place was believed.", NULL,      \
        NULL)                                                                                                          \
    ROW(SLOTS, "hansom_throttle_slots", GAUGE, "Bookings followed.", NULL, NULL)                                       \
    ROW(PARTITIONS, "hansom_throttle_partitions", GAUGE, "Partitions held.", NULL, NULL)                               \
    ROW(MALFORMED, "hansom_throttle_malformed_total", COUNTER, "Bus messages that were not understood.", NULL, NULL)   \
    ROW(LATENCY, "hansom_throttle_latency_seconds", HISTOGRAM,                                                         \
        "From a position's arrival at a gateway to its being shown, waits for the rate included.", NULL, NULL)         \
    ROW(BUS_UP, "hansom_throttle_bus_connected", GAUGE, "1 while connected to NATS.", NULL, NULL)

enum throttle_metric {
#define ROW(id, ...) METRIC_THROTTLE_##id,
    THROTTLE_METRICS(ROW)
#undef ROW
        THROTTLE_METRIC_COUNT
};
extern const struct metric_def throttle_metric_defs[THROTTLE_METRIC_COUNT];

#endif
