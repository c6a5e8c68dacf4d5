#ifndef HANSOM_NOTIFIER_METRICS_H
#define HANSOM_NOTIFIER_METRICS_H
#include "metrics/metrics.h"

#define NOTIFIER_METRICS(ROW)                                                                                          \
    ROW(EVENTS, "hansom_notify_events_total", COUNTER, "Events taken over from the bus, by policy.", "policy",         \
        policy_names, NULL, NULL)                                                                                      \
    ROW(MALFORMED, "hansom_notify_malformed_total", COUNTER, "Items of the streams that could not be understood.",     \
        "stream", stream_names, NULL, NULL)                                                                            \
    ROW(STEPS, "hansom_notify_steps_total", COUNTER, "Steps of ladders by what became of them.", "step", step_names,   \
        "state", step_state_names)                                                                                     \
    ROW(SENT, "hansom_notify_sent_total", COUNTER, "Messages that a provider has accepted.", "channel", channel_names, \
        NULL, NULL)                                                                                                    \
    ROW(FAILED, "hansom_notify_failed_total", COUNTER, "Attempts that failed, by reason.", "channel", channel_names,   \
        "reason", failure_names)                                                                                       \
    ROW(PUT_OFF, "hansom_notify_put_off_total", COUNTER,                                                               \
        "Deliveries put off because enough requests to their host were under way.", "channel", channel_names, NULL,    \
        NULL)                                                                                                          \
    ROW(ENDED, "hansom_notify_deliveries_total", COUNTER, "Deliveries by how they ended.", "channel", channel_names,   \
        "state", delivery_state_names)                                                                                 \
    ROW(ATTEMPT_SECONDS, "hansom_notify_attempt_seconds", HISTOGRAM, "From handing over to the provider's answer.",    \
        "channel", channel_names, NULL, NULL)                                                                          \
    ROW(DELAY_SECONDS, "hansom_notify_delay_seconds", HISTOGRAM, "From the event to the provider's acceptance.",       \
        "channel", channel_names, NULL, NULL)                                                                          \
    ROW(DEAD_TARGETS, "hansom_notify_dead_targets_total", COUNTER,                                                     \
        "Tokens and addresses that a provider declared "                                                               \
        "dead.",                                                                                                       \
        "channel", channel_names, NULL, NULL)                                                                          \
    ROW(IN_FLIGHT, "hansom_notify_in_flight", GAUGE, "Attempts under way.", NULL, NULL, NULL, NULL)                    \
    ROW(QUEUE_AGE, "hansom_notify_queue_age_seconds", GAUGE, "How long the oldest due delivery has been waiting.",     \
        "channel", channel_names, NULL, NULL)                                                                          \
    ROW(QUEUE, "hansom_notify_queue", GAUGE, "Deliveries that are due or under way (counted up to 100,000).",          \
        "channel", channel_names, NULL, NULL)                                                                          \
    ROW(BREAKER, "hansom_notify_breaker_state", GAUGE, "Circuit breaker: 0 closed, 1 open, 2 half open.", "channel",   \
        channel_names, NULL, NULL)                                                                                     \
    ROW(ACKS, "hansom_notify_acknowledged_total", COUNTER, "Events that somebody has acknowledged, by policy.",        \
        "policy", policy_names, NULL, NULL)                                                                            \
    ROW(ACK_SECONDS, "hansom_notify_acknowledge_seconds", HISTOGRAM, "From the event to its first acknowledgement.",   \
        "policy", policy_names, NULL, NULL)                                                                            \
    ROW(WAKES_ANSWERED, "hansom_notify_wakes_answered_total", COUNTER,                                                 \
        "Wake pushes that were followed by a heartbeat with their id.", NULL, NULL, NULL, NULL)                        \
    ROW(REQUESTS, "hansom_notify_requests_total", COUNTER, "Requests of other services by outcome.", "request",        \
        request_names, "outcome", request_outcomes)                                                                    \
    ROW(PG_UP, "hansom_notify_postgres_connected", GAUGE, "1 while connected to PostgreSQL.", NULL, NULL, NULL, NULL)  \
    ROW(BUS_UP, "hansom_notify_bus_connected", GAUGE, "1 while connected to NATS.", NULL, NULL, NULL, NULL)

enum notifier_metric {
#define ROW(id, ...) METRIC_NOTIFY_##id,
    NOTIFIER_METRICS(ROW)
#undef ROW
        NOTIFIER_METRIC_COUNT
};
extern const struct metric_def notifier_metric_defs[NOTIFIER_METRIC_COUNT];

/* Labels, in the order of their texts. */
enum notifier_stream { NOTIFIER_EVENTS, NOTIFIER_ACKS, NOTIFIER_CHAT };
/* request_names: those of requests.def. */
extern const char *const request_names[];
enum request_outcome { REQUEST_OK, REQUEST_REFUSED, REQUEST_UNAVAILABLE };

#endif
