/*
 * Read, decide (core/booking_rules), write if nobody else was faster, publish, answer. The row is the truth; the answer
 * is given once the bucket that gateways follow has it too.
 */
#include "backoffice.h"
#include "base/clock.h"
#include "booking_db.h"
#include "routes.h"

#define TRIES_MAX 5

struct put_booking {
    struct backoffice *app;
    struct exchange *exchange;
    struct booking_wish wish; /* strings belong to exchange->json */
    struct booking next;
    enum booking_change change;
    unsigned tries;
};

static void read_row(struct put_booking *put);

static void answer(struct put_booking *put)
{
    struct json_writer json;
    json_writer_init(&json, &put->exchange->answer);
    booking_write_json(&put->next, &json);
    metrics_add(put->app->metrics, METRIC_BACKOFFICE_BOOKINGS, put->change, 0, 1);
    exchange_reply(put->exchange, put->change == BOOKING_CREATED ? 201 : 200);
}

static void on_published(void *context, enum bus_status status)
{
    struct put_booking *put = context;
    if (status == BUS_OK)
        answer(put);
    else
        exchange_unavailable(put->exchange, "the booking is kept, but the gateways may not know it yet");
}

static void publish(struct put_booking *put)
{
    message_outbox_wake(put->app->message_outbox);
    booking_publish(put->app, &put->next, on_published, put);
}

static void on_written(void *context, enum pg_status status, const struct pg_result *result)
{
    struct put_booking *put = context;
    if (status != PG_OK)
        exchange_unavailable(put->exchange, "the database is not available");
    else if (pg_value_int(result, 0, 0) == 1)
        publish(put);
    else if (++put->tries < TRIES_MAX)
        read_row(put);
    else
        exchange_unavailable(put->exchange, "the booking is being changed by others");
}

static void write_row(struct put_booking *put, const struct booking *existing)
{
    struct announcements announcements;
    announcements_init(&announcements, existing, &put->next, put->app->settings->assignment_offer_ttl_s * 1000);
    booking_db_write(put->app, &put->next, &announcements, on_written, put);
    announcements_finish(&announcements);
}

static void decide(struct put_booking *put, const struct booking *existing, uint64_t published_version)
{
    char error[160];
    struct exchange *exchange = put->exchange;
    put->change = booking_apply(existing, exchange->id, &put->wish, clock_wall_ms(), &put->next, error, sizeof(error));
    switch (put->change) {
    case BOOKING_CREATED:
    case BOOKING_UPDATED:
        write_row(put, existing);
        break;
    case BOOKING_UNCHANGED:
        if (published_version >= put->next.version)
            answer(put);
        else
            booking_publish(put->app, &put->next, on_published, put);
        break;
    case BOOKING_REFUSED:
        metrics_add(put->app->metrics, METRIC_BACKOFFICE_BOOKINGS, BOOKING_REFUSED, 0, 1);
        exchange_fail(exchange, ERROR_conflict, error);
        break;
    }
}

static void on_row(void *context, enum pg_status status, const struct pg_result *result)
{
    struct put_booking *put = context;
    if (status != PG_OK) {
        exchange_unavailable(put->exchange, "the database is not available");
        return;
    }
    if (pg_row_count(result) == 0) {
        decide(put, NULL, 0);
        return;
    }
    struct booking existing;
    booking_from_row(result, 0, &existing);
    decide(put, &existing, (uint64_t)pg_value_int(result, 0, BOOKING_COLUMN_COUNT));
}

static void read_row(struct put_booking *put)
{
    booking_db_read(put->app, put->exchange->id, on_row, put);
}

void handle_put_booking(struct backoffice *app, struct exchange *exchange)
{
    struct put_booking *put = exchange_alloc(exchange, sizeof(*put));
    put->app = app;
    put->exchange = exchange;
    char error[160];
    if (booking_wish_read(exchange->json, &put->wish, error, sizeof(error)))
        read_row(put);
    else
        exchange_fail(exchange, ERROR_bad_request, error);
}
