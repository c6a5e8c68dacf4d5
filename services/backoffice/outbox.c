#include "outbox.h"

#include "backoffice.h"
#include "base/clock.h"
#include "booking_db.h"
#include "log/log.h"
#include "session_db.h"

#define BATCH_MAX 100
/* Younger changes are still being published by the request that made them. */
#define MIN_AGE_MS 3000

/* One per bucket: finds the rows that lag and publishes them. */
struct outbox_lane {
    struct outbox *outbox;
    enum outbox_bucket bucket;
    const char *sql; /* $1: newest time in ms; last column: how many lag in all */
    size_t pending_column;
    void (*publish)(struct outbox_lane *lane, const struct pg_result *result, size_t row);
    size_t under_way; /* publications, plus one while the query runs */
    bool was_full, has_failed;
};

struct outbox {
    struct backoffice *app;
    uv_timer_t timer;
    struct outbox_lane lanes[OUTBOX_BUCKET_COUNT];
};

static void look(struct outbox_lane *lane);

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static void one_less(struct outbox_lane *lane)
{
    if (--lane->under_way == 0 && lane->was_full && !lane->has_failed)
        look(lane);
}

static void on_published(void *context, enum bus_status status)
{
    struct outbox_lane *lane = context;
    if (status == BUS_OK)
        metrics_add(lane->outbox->app->metrics, METRIC_BACKOFFICE_OUTBOX_REPEATED, lane->bucket, 0, 1);
    else
        lane->has_failed = true;
    one_less(lane);
}

static void publish_booking(struct outbox_lane *lane, const struct pg_result *result, size_t row)
{
    struct booking booking;
    booking_from_row(result, row, &booking);
    booking_publish(lane->outbox->app, &booking, on_published, lane);
}

static void publish_cutoff(struct outbox_lane *lane, const struct pg_result *result, size_t row)
{
    cutoff_publish(lane->outbox->app, pg_value(result, row, 0), pg_value_int(result, row, 1), on_published, lane);
}

static void on_rows(void *context, enum pg_status status, const struct pg_result *result)
{
    struct outbox_lane *lane = context;
    size_t count = status == PG_OK ? pg_row_count(result) : 0;
    if (status == PG_FAILED)
        LOG_ERROR("outbox_query_failed", LOG_STR("sqlstate", pg_sqlstate(result)));
    if (status == PG_OK)
        metrics_gauge_set(lane->outbox->app->metrics, METRIC_BACKOFFICE_OUTBOX_PENDING, lane->bucket, 0,
                          count == 0 ? 0 : pg_value_int(result, 0, lane->pending_column));
    lane->was_full = count == BATCH_MAX;
    lane->under_way += count;
    for (size_t i = 0; i < count; i++)
        lane->publish(lane, result, i);
    one_less(lane);
}

static void look(struct outbox_lane *lane)
{
    struct backoffice *app = lane->outbox->app;
    if (lane->under_way > 0 || !bus_is_connected(app->bus) || !pg_is_connected(app->pg))
        return;
    lane->under_way = 1;
    lane->has_failed = false;
    char newest_ms[NUMBER_SIZE], batch[NUMBER_SIZE];
    const char *const parameters[] = {number_text(newest_ms, clock_wall_ms() - MIN_AGE_MS),
                                      number_text(batch, BATCH_MAX)};
    pg_query(app->pg, lane->sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(app), on_rows, lane);
}

static void on_timer(uv_timer_t *timer)
{
    struct outbox *outbox = timer->data;
    for (size_t i = 0; i < OUTBOX_BUCKET_COUNT; i++)
        look(&outbox->lanes[i]);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static const struct outbox_lane lanes[OUTBOX_BUCKET_COUNT] = {
    [OUTBOX_BOOKINGS] = {.sql = "SELECT " BOOKING_COLUMNS ", count(*) OVER () FROM bookings "
                                "WHERE kv_published_version < version AND updated_at_ms <= $1::bigint "
                                "ORDER BY updated_at_ms LIMIT $2::bigint",
                         .pending_column = BOOKING_COLUMN_COUNT,
                         .publish = publish_booking},
    /* A cut-off lies up to a second ahead of the request that made it. */
    [OUTBOX_SESSIONS] = {.sql = "SELECT user_id, not_before_ms, count(*) OVER () FROM session_cutoffs "
                                "WHERE kv_published_ms < not_before_ms AND not_before_ms <= $1::bigint "
                                "ORDER BY not_before_ms LIMIT $2::bigint",
                         .pending_column = 2,
                         .publish = publish_cutoff},
};

struct outbox *outbox_create(struct backoffice *app)
{
    struct outbox *outbox = mem_alloc(sizeof(*outbox));
    outbox->app = app;
    for (unsigned i = 0; i < OUTBOX_BUCKET_COUNT; i++) {
        outbox->lanes[i] = lanes[i];
        outbox->lanes[i].outbox = outbox;
        outbox->lanes[i].bucket = (enum outbox_bucket)i;
    }
    uv_timer_init(service_loop(app->service), &outbox->timer);
    outbox->timer.data = outbox;
    uint64_t interval_ms = (uint64_t)app->settings->outbox_interval_ms;
    uv_timer_start(&outbox->timer, on_timer, interval_ms, interval_ms);
    return outbox;
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void outbox_destroy(struct outbox **outbox_pointer)
{
    struct outbox *outbox = *outbox_pointer;
    *outbox_pointer = NULL;
    if (outbox != NULL)
        uv_close((uv_handle_t *)&outbox->timer, on_timer_closed);
}
