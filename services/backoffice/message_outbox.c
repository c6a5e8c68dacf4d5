#include "message_outbox.h"

#include "backoffice.h"
#include "base/clock.h"
#include "log/log.h"

#define BATCH_TEXT "200"
#define CLAIM_MS 10000

struct message_outbox {
    struct backoffice *app;
    uv_timer_t timer;
    bool is_busy, is_woken, was_full, has_failed;
    size_t under_way;
    struct pg_array done, failed; /* ids that the stream has, and that it may not have */
};

struct sending {
    struct message_outbox *outbox;
    int64_t id;
};

static void look(struct message_outbox *outbox);

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

static void end_batch(struct message_outbox *outbox)
{
    outbox->is_busy = false;
    if ((outbox->was_full || outbox->is_woken) && !outbox->has_failed)
        uv_timer_start(&outbox->timer, on_timer, 0, (uint64_t)outbox->app->settings->outbox_interval_ms);
}

static void on_ended(void *context, enum pg_status status, const struct pg_result *result)
{
    struct message_outbox *outbox = context;
    (void)result;
    outbox->has_failed |= status != PG_OK;
    end_batch(outbox);
}

/* What failed waits for nothing but the next look. */
static void end_claims(struct message_outbox *outbox)
{
    const char *const parameters[] = {pg_array_end(&outbox->done), pg_array_end(&outbox->failed)};
    pg_query(outbox->app->pg,
             "WITH stored AS (DELETE FROM outbox_messages WHERE id = ANY ($1::bigint[])) "
             "UPDATE outbox_messages SET claimed_until_ms = 0 WHERE id = ANY ($2::bigint[])",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(outbox->app), on_ended, outbox);
    pg_array_finish(&outbox->done);
    pg_array_finish(&outbox->failed);
}

static void on_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct sending *sending = context;
    struct message_outbox *outbox = sending->outbox;
    (void)ack;
    pg_array_int(status == BUS_OK ? &outbox->done : &outbox->failed, sending->id);
    outbox->has_failed |= status != BUS_OK;
    mem_free(sending);
    if (--outbox->under_way == 0)
        end_claims(outbox);
}

static void send_row(struct message_outbox *outbox, const struct pg_result *result, size_t row)
{
    struct sending *sending = mem_alloc(sizeof(*sending));
    *sending = (struct sending){.outbox = outbox, .id = pg_value_int(result, row, 0)};
    size_t length;
    void *payload = pg_value_bytes(result, row, 3, &length);
    bus_store(outbox->app->bus, pg_value(result, row, 1), pg_value(result, row, 2), BUS_ANY_REVISION, payload, length,
              bus_timeout_ms(outbox->app), on_stored, sending);
    mem_free(payload);
}

static void on_claimed(void *context, enum pg_status status, const struct pg_result *result)
{
    struct message_outbox *outbox = context;
    size_t count = status == PG_OK ? pg_row_count(result) : 0;
    if (status == PG_FAILED)
        LOG_ERROR("outbox_query_failed", LOG_STR("sqlstate", pg_sqlstate(result)));
    outbox->has_failed = status != PG_OK;
    outbox->was_full = count == strtoul(BATCH_TEXT, NULL, 10);
    if (count == 0) {
        end_batch(outbox);
        return;
    }
    pg_array_begin(&outbox->done);
    pg_array_begin(&outbox->failed);
    outbox->under_way = count;
    for (size_t i = 0; i < count; i++)
        send_row(outbox, result, i);
}

/* Nothing overtakes what another one (or one that was killed) is sending on the same subject. Parameters: now, end of
 * the claim. */
static const char claim_sql[] =
    "WITH claimed AS (UPDATE outbox_messages o SET claimed_until_ms = $2::bigint FROM ("
    "SELECT id FROM outbox_messages m WHERE claimed_until_ms <= $1::bigint AND NOT EXISTS (SELECT FROM outbox_messages "
    "e "
    "WHERE e.subject = m.subject AND e.id < m.id AND e.claimed_until_ms > $1::bigint) ORDER BY id LIMIT " BATCH_TEXT
    " FOR UPDATE SKIP LOCKED) AS first WHERE o.id = first.id RETURNING o.id, o.subject, o.message_id, o.payload) "
    "SELECT id, subject, message_id, payload FROM claimed ORDER BY id";

static void look(struct message_outbox *outbox)
{
    struct backoffice *app = outbox->app;
    if (outbox->is_busy || !bus_is_connected(app->bus) || !pg_is_connected(app->pg))
        return;
    outbox->is_busy = true;
    outbox->is_woken = false;
    char now[NUMBER_SIZE], until[NUMBER_SIZE];
    int64_t now_ms = clock_wall_ms();
    const char *const parameters[] = {number_text(now, now_ms), number_text(until, now_ms + CLAIM_MS)};
    pg_query(app->pg, claim_sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(app), on_claimed, outbox);
}

void message_outbox_wake(struct message_outbox *outbox)
{
    outbox->is_woken = true;
    look(outbox);
}

struct message_outbox *message_outbox_create(struct backoffice *app)
{
    struct message_outbox *outbox = mem_alloc(sizeof(*outbox));
    outbox->app = app;
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

void message_outbox_destroy(struct message_outbox **outbox_pointer)
{
    struct message_outbox *outbox = *outbox_pointer;
    *outbox_pointer = NULL;
    if (outbox == NULL)
        return;
    if (outbox->under_way > 0) {
        pg_array_finish(&outbox->done);
        pg_array_finish(&outbox->failed);
    }
    uv_close((uv_handle_t *)&outbox->timer, on_timer_closed);
}

void message_rows_init(struct message_rows *rows, const struct announcements *list)
{
    pg_array_begin(&rows->subjects);
    pg_array_begin(&rows->ids);
    pg_array_begin(&rows->payloads);
    for (size_t i = 0; i < list->count; i++) {
        const struct announcement *item = &list->items[i];
        pg_array_text(&rows->subjects, item->subject);
        pg_array_text(&rows->ids, item->message_id);
        pg_array_bytes(&rows->payloads, item->payload.data, item->payload.length);
    }
    pg_array_end(&rows->subjects);
    pg_array_end(&rows->ids);
    pg_array_end(&rows->payloads);
}

void message_rows_finish(struct message_rows *rows)
{
    pg_array_finish(&rows->subjects);
    pg_array_finish(&rows->ids);
    pg_array_finish(&rows->payloads);
}
