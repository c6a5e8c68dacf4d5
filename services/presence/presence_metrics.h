#ifndef HANSOM_PRESENCE_METRICS_H
#define HANSOM_PRESENCE_METRICS_H
#include "metrics/metrics.h"

#define PRESENCE_METRICS(ROW)                                                                                          \
    ROW(DRIVERS, "hansom_presence_drivers", GAUGE, "Drivers by status.", "status", status_names, NULL, NULL)           \
    ROW(CHANGES, "hansom_presence_changes_total", COUNTER, "Told changes of drivers.", "status", status_names,         \
        "reason", reason_names)                                                                                        \
    ROW(MISSED, "hansom_presence_missed_heartbeats_total", COUNTER, "Heartbeats that did not come in time.", NULL,     \
        NULL, NULL, NULL)                                                                                              \
    ROW(BEATS, "hansom_presence_heartbeats_total", COUNTER, "Heartbeats by what became of them.", "outcome",           \
        beat_outcomes, NULL, NULL)                                                                                     \
    ROW(STALE, "hansom_presence_stale_total", COUNTER, "driver_stale told, by cause.", "cause", cause_names, NULL,     \
        NULL)                                                                                                          \
    ROW(WAKES, "hansom_presence_wakes_total", COUNTER,                                                                 \
        "Events that wake a driver who went offline on a booking, and heartbeats that answered one.", "outcome",       \
        wake_outcomes, NULL, NULL)                                                                                     \
    ROW(POLICIES, "hansom_presence_policies_total", COUNTER, "Policies written, by state.", "why", why_names, NULL,    \
        NULL)                                                                                                          \
    ROW(CONNECTIONS, "hansom_presence_connections", GAUGE, "Connections known.", NULL, NULL, NULL, NULL)               \
    ROW(GATEWAYS, "hansom_presence_gateways", GAUGE, "Gateways alive.", NULL, NULL, NULL, NULL)                        \
    ROW(PARTITIONS, "hansom_presence_partitions", GAUGE, "Partitions held.", NULL, NULL, NULL, NULL)                   \
    ROW(STORE_FAILED, "hansom_presence_store_failed_total", COUNTER,                                                   \
        "Writes to the bus that did not work out and were tried again.", NULL, NULL, NULL, NULL)                       \
    ROW(BUS_UP, "hansom_presence_bus_connected", GAUGE, "1 while connected to NATS.", NULL, NULL, NULL, NULL)

enum presence_metric {
#define ROW(id, ...) METRIC_PRESENCE_##id,
    PRESENCE_METRICS(ROW)
#undef ROW
        PRESENCE_METRIC_COUNT
};
enum wake_outcome { WAKE_SENT, WAKE_ANSWERED };
extern const struct metric_def presence_metric_defs[PRESENCE_METRIC_COUNT];

#endif
