#ifndef HANSOM_GATEWAY_METRICS_H
#define HANSOM_GATEWAY_METRICS_H
#include "metrics/metrics.h"

#define GATEWAY_METRICS(ROW)                                                                                           \
    ROW(CONNECTIONS, "hansom_gateway_connections", GAUGE, "Open sessions by platform.", "platform", platforms, NULL,   \
        NULL)                                                                                                          \
    ROW(CONNECTS, "hansom_gateway_connects_total", COUNTER, "Connect attempts by platform and outcome.", "platform",   \
        platforms, "outcome", connect_outcomes)                                                                        \
    ROW(SOCKETS, "hansom_gateway_sockets", GAUGE, "Accepted sockets.", NULL, NULL, NULL, NULL)                         \
    ROW(REFUSED, "hansom_gateway_refused_sockets_total", COUNTER, "Sockets refused at the door, by reason.", "reason", \
        refusals, NULL, NULL)                                                                                          \
    ROW(CLOSES, "hansom_gateway_closes_total", COUNTER, "Closed sessions by reason.", "reason", close_reason_names,    \
        NULL, NULL)                                                                                                    \
    ROW(FRAMES_IN, "hansom_gateway_frames_in_total", COUNTER, "Frames from clients by op.", "op", op_names, NULL,      \
        NULL)                                                                                                          \
    ROW(MESSAGES_OUT, "hansom_gateway_messages_out_total", COUNTER, "Channel items handed to subscribers, by kind.",   \
        "kind", kind_names, NULL, NULL)                                                                                \
    ROW(PUBLISHES, "hansom_gateway_publishes_total", COUNTER, "Accepted publishes by kind.", "kind", kind_names, NULL, \
        NULL)                                                                                                          \
    ROW(ERRORS, "hansom_gateway_errors_total", COUNTER, "Error frames by code.", "code", error_names, NULL, NULL)      \
    ROW(BYTES_OUT, "hansom_gateway_bytes_out_total", COUNTER, "Bytes handed to the kernel.", NULL, NULL, NULL, NULL)   \
    ROW(SENDS, "hansom_gateway_sends_total", COUNTER, "Send system calls.", NULL, NULL, NULL, NULL)                    \
    ROW(CONFLATED, "hansom_gateway_conflated_total", COUNTER, "Positions replaced by a newer one before being sent.",  \
        NULL, NULL, NULL, NULL)                                                                                        \
    ROW(SUBSCRIPTIONS, "hansom_gateway_subscriptions", GAUGE, "Live subscriptions by kind.", "kind", kind_names, NULL, \
        NULL)                                                                                                          \
    ROW(CHANNELS, "hansom_gateway_channels", GAUGE, "Channels with a bus subscription.", NULL, NULL, NULL, NULL)       \
    ROW(LATENCY, "hansom_gateway_position_latency_seconds", HISTOGRAM,                                                 \
        "From a position's arrival at a gateway to its write to the rider's socket.", NULL, NULL, NULL, NULL)          \
    ROW(CHAT_DELIVERY, "hansom_gateway_chat_delivery_seconds", HISTOGRAM,                                              \
        "From a chat message's arrival at a gateway to its write to the readers here.", NULL, NULL, NULL, NULL)        \
    ROW(CHAT_ACK, "hansom_gateway_chat_ack_seconds", HISTOGRAM,                                                        \
        "From a chat publish to its acknowledgement by the stream.", NULL, NULL, NULL, NULL)                           \
    ROW(CHAT_MASKED, "hansom_gateway_chat_masked_total", COUNTER, "Chat messages with something masked, by what.",     \
        "finding", finding_names, NULL, NULL)                                                                          \
    ROW(CHAT_REFUSED, "hansom_gateway_chat_refused_total", COUNTER, "Chat publishes refused, by why.", "why",          \
        chat_refusals, NULL, NULL)                                                                                     \
    ROW(REPLAYS, "hansom_gateway_replays_total", COUNTER, "Histories read for a subscriber, by kind and outcome.",     \
        "kind", kind_names, "outcome", replay_outcomes)                                                                \
    ROW(HEALED, "hansom_gateway_gaps_healed_total", COUNTER,                                                           \
        "Stored items fetched again because they did not come live.", "kind", kind_names, NULL, NULL)                  \
    ROW(RESYNCS, "hansom_gateway_resyncs_total", COUNTER, "Channels whose continuity was lost.", "kind", kind_names,   \
        NULL, NULL)                                                                                                    \
    ROW(EVENT_ACKS, "hansom_gateway_event_acks_total", COUNTER, "Acknowledgements of user events, by outcome.",        \
        "outcome", ack_outcomes, NULL, NULL)                                                                           \
    ROW(BUS_UP, "hansom_gateway_bus_connected", GAUGE, "1 while connected to NATS.", NULL, NULL, NULL, NULL)

enum gateway_metric {
#define ROW(id, ...) METRIC_GATEWAY_##id,
    GATEWAY_METRICS(ROW)
#undef ROW
        GATEWAY_METRIC_COUNT
};
extern const struct metric_def gateway_metric_defs[GATEWAY_METRIC_COUNT];

enum connect_outcome { CONNECT_OK, CONNECT_UNAUTHORIZED, CONNECT_REVOKED, CONNECT_UNAVAILABLE, CONNECT_TIMED_OUT };
enum refusal { REFUSED_TOTAL, REFUSED_ADDRESS, REFUSED_RATE, REFUSED_DRAINING, REFUSED_DESCRIPTORS };

enum chat_refusal { CHAT_REFUSED_CONTENT, CHAT_REFUSED_RATE, CHAT_REFUSED_RIGHTS, CHAT_REFUSED_UNAVAILABLE };
enum replay_outcome { REPLAY_RECOVERED, REPLAY_TAIL, REPLAY_FAILED };

enum event_ack_outcome { EVENT_ACK_STORED, EVENT_ACK_REFUSED, EVENT_ACK_RETRIED, EVENT_ACK_DROPPED };

/* Index of the platform's label. */
unsigned platform_label(const char *platform);

#endif
