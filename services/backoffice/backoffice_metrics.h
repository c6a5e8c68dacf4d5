#ifndef HANSOM_BACKOFFICE_METRICS_H
#define HANSOM_BACKOFFICE_METRICS_H
#include "metrics/metrics.h"

#define BACKOFFICE_METRICS(ROW)                                                                                        \
    ROW(REQUESTS, "hansom_backoffice_requests_total", COUNTER, "Answered REST requests by route and status class.",    \
        "route", route_names, "class", status_classes)                                                                 \
    ROW(REQUEST_SECONDS, "hansom_backoffice_request_seconds", HISTOGRAM, "Time to the answer of a REST request.",      \
        "route", route_names, NULL, NULL)                                                                              \
    ROW(TOKENS, "hansom_backoffice_tokens_issued_total", COUNTER, "Access tokens signed, by occasion.", "occasion",    \
        token_occasions, NULL, NULL)                                                                                   \
    ROW(REFRESHES, "hansom_backoffice_refreshes_total", COUNTER, "Token refreshes by outcome.", "outcome",             \
        refresh_outcomes, NULL, NULL)                                                                                  \
    ROW(REVOCATIONS, "hansom_backoffice_revocations_total", COUNTER, "Users whose sessions were revoked.", NULL, NULL, \
        NULL, NULL)                                                                                                    \
    ROW(BOOKINGS, "hansom_backoffice_booking_writes_total", COUNTER, "Bookings put, by what it did.", "change",        \
        booking_changes, NULL, NULL)                                                                                   \
    ROW(OUTBOX_PENDING, "hansom_backoffice_outbox_pending", GAUGE, "Changes that NATS has not confirmed.", "bucket",   \
        outbox_buckets, NULL, NULL)                                                                                    \
    ROW(OUTBOX_REPEATED, "hansom_backoffice_outbox_repeated_total", COUNTER, "Changes published again.", "bucket",     \
        outbox_buckets, NULL, NULL)                                                                                    \
    ROW(PG_UP, "hansom_backoffice_pg_connected", GAUGE, "1 while connected to PostgreSQL.", NULL, NULL, NULL, NULL)    \
    ROW(BUS_UP, "hansom_backoffice_bus_connected", GAUGE, "1 while connected to NATS.", NULL, NULL, NULL, NULL)

enum backoffice_metric {
#define ROW(id, ...) METRIC_BACKOFFICE_##id,
    BACKOFFICE_METRICS(ROW)
#undef ROW
        BACKOFFICE_METRIC_COUNT
};
extern const struct metric_def backoffice_metric_defs[BACKOFFICE_METRIC_COUNT];

/* Labels, in the order of their texts. booking_changes are those of enum booking_change. */
enum token_occasion { TOKEN_SESSION, TOKEN_REFRESH };
enum refresh_outcome { REFRESH_OK, REFRESH_UNAUTHORIZED, REFRESH_REUSE, REFRESH_UNAVAILABLE };
enum outbox_bucket { OUTBOX_BOOKINGS, OUTBOX_SESSIONS, OUTBOX_BUCKET_COUNT };

/* Label of an HTTP status. */
unsigned status_class(unsigned status);

#endif
