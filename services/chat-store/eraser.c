#include "eraser.h"

#include "archive_floor.h"
#include "base/clock.h"
#include "log/log.h"
#include "pg/pg_array.h"
#include "question.h"

#define INTERVAL_MS 5000
#define BATCH 200
#define BATCH_TEXT "200"
/* After this long everything that was sent before the request has reached the archive, if the archive is up to date. */
#define SETTLE_MS 10000

struct eraser {
    struct chat_store *store;
    uv_timer_t timer;
    bool is_busy;
    unsigned removals; /* requests to the stream under way */
    bool has_failed;
    struct pg_array bookings, created, sequences, epochs; /* of the batch */
};

static void look(struct eraser *eraser);

/* --- the request -------------------------------------------------------------------------------------------------- */

static void on_noted(void *context, enum pg_status status, const struct pg_result *result)
{
    struct question *question = context;
    struct eraser *eraser = question->store->eraser;
    (void)result;
    if (!question_query_done(question, status))
        return;
    question_answer(question);
    eraser_wake(eraser);
}

bool question_erase(struct question *question, const uint8_t *data, size_t length)
{
    Hansom__ChatEraseRequest *request = hansom__chat_erase_request__unpack(NULL, length, data);
    bool is_good = request != NULL && id_is_valid(request->user_id, strlen(request->user_id));
    if (is_good) {
        char now[NUMBER_SIZE];
        const char *const parameters[] = {request->user_id, number_text(now, clock_wall_ms())};
        question->pending = 1;
        pg_query(question->store->query_pg,
                 "INSERT INTO chat.erasures (user_id, requested_ms) VALUES ($1, $2::bigint) ON CONFLICT (user_id) "
                 "DO UPDATE SET requested_ms = excluded.requested_ms, done_ms = NULL",
                 ARRAY_LEN(parameters), parameters, query_timeout_ms(question->store), on_noted, question);
    }
    hansom__chat_erase_request__free_unpacked(request, NULL);
    return is_good;
}

/* Said, so that an erasure that does not get on is seen; it is tried again. */
static void note_failure(enum pg_status status, const struct pg_result *result)
{
    if (status == PG_FAILED)
        LOG_ERROR("erasure_failed", LOG_STR("sqlstate", pg_sqlstate(result)));
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static void end_batch(struct eraser *eraser, bool is_more_likely)
{
    pg_array_finish(&eraser->bookings);
    pg_array_finish(&eraser->created);
    pg_array_finish(&eraser->sequences);
    pg_array_finish(&eraser->epochs);
    eraser->is_busy = false;
    if (is_more_likely)
        look(eraser);
}

static void on_emptied(void *context, enum pg_status status, const struct pg_result *result)
{
    struct eraser *eraser = context;
    if (status == PG_OK) {
        metrics_add(eraser->store->metrics, METRIC_CHAT_ERASED, 0, 0, pg_affected(result));
        LOG_INFO("chat_erased", LOG_INT("items", pg_affected(result)));
    }
    note_failure(status, result);
    end_batch(eraser, status == PG_OK);
}

static void empty_rows(struct eraser *eraser)
{
    const char *const parameters[] = {eraser->bookings.text.data, eraser->created.text.data,
                                      eraser->sequences.text.data, eraser->epochs.text.data};
    pg_query(eraser->store->query_pg,
             "UPDATE chat.items i SET content = '', body = NULL "
             "FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS t (booking_id, created, seq, epoch) "
             "WHERE i.booking_id = t.booking_id AND i.booking_created_ms = t.created AND i.epoch = t.epoch "
             "AND i.seq = t.seq",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(eraser->store), on_emptied, eraser);
}

/* A failure of the stream to remove one is tried again: the row keeps its content until then. */
static void on_removed(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct eraser *eraser = context;
    (void)reply; /* "no message found" is as good */
    if (status != BUS_OK)
        LOG_WARN("erasure_not_removed", LOG_STR("status", bus_status_name(status)));
    eraser->has_failed |= status != BUS_OK;
    if (--eraser->removals > 0)
        return;
    if (eraser->has_failed)
        end_batch(eraser, false);
    else
        empty_rows(eraser);
}

static void remove_from_stream(struct eraser *eraser, const struct pg_result *result)
{
    struct chat_store *store = eraser->store;
    uint64_t current = bus_stream_epoch(store->bus, STREAM_CHAT);
    eraser->has_failed = false;
    eraser->removals = 0;
    for (size_t row = 0; row < pg_row_count(result); row++) {
        pg_array_text(&eraser->bookings, pg_value(result, row, 0));
        pg_array_int(&eraser->created, pg_value_int(result, row, 1));
        pg_array_int(&eraser->sequences, pg_value_int(result, row, 2));
        pg_array_int(&eraser->epochs, pg_value_int(result, row, 3));
        if ((uint64_t)pg_value_int(result, row, 3) != current)
            continue;
        eraser->removals++;
        bus_delete_sequence(store->bus, STREAM_CHAT, (uint64_t)pg_value_int(result, row, 2), query_timeout_ms(store),
                            on_removed, eraser);
    }
    pg_array_end(&eraser->bookings);
    pg_array_end(&eraser->created);
    pg_array_end(&eraser->sequences);
    pg_array_end(&eraser->epochs);
    if (eraser->removals == 0)
        empty_rows(eraser);
}

static void on_finished(void *context, enum pg_status status, const struct pg_result *result)
{
    (void)context;
    if (status == PG_OK && pg_affected(result) > 0)
        LOG_INFO("erasure_done", LOG_INT("users", pg_affected(result)));
    note_failure(status, result);
}

/* Nothing is left of those who asked long enough ago; marks go with it. */
static void finish_requests(struct eraser *eraser)
{
    struct chat_store *store = eraser->store;
    if (!archive_floor_is_caught_up(store->floor))
        return;
    char now[NUMBER_SIZE], settled[NUMBER_SIZE];
    const char *const parameters[] = {number_text(now, clock_wall_ms()),
                                      number_text(settled, clock_wall_ms() - SETTLE_MS)};
    pg_query(store->query_pg,
             "WITH done AS (UPDATE chat.erasures SET done_ms = $1::bigint WHERE done_ms IS NULL "
             "AND requested_ms < $2::bigint RETURNING user_id), "
             "gone AS (DELETE FROM chat.marks USING done WHERE marks.user_id = done.user_id) SELECT user_id FROM done",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(store), on_finished, eraser);
}

static void on_rows(void *context, enum pg_status status, const struct pg_result *result)
{
    struct eraser *eraser = context;
    note_failure(status, result);
    if (status != PG_OK || pg_row_count(result) == 0) {
        if (status == PG_OK)
            finish_requests(eraser);
        end_batch(eraser, false);
        return;
    }
    remove_from_stream(eraser, result);
}

static void look(struct eraser *eraser)
{
    struct chat_store *store = eraser->store;
    if (eraser->is_busy || !pg_is_connected(store->query_pg) || !bus_is_connected(store->bus))
        return;
    eraser->is_busy = true;
    pg_array_begin(&eraser->bookings);
    pg_array_begin(&eraser->created);
    pg_array_begin(&eraser->sequences);
    pg_array_begin(&eraser->epochs);
    pg_query(store->query_pg,
             "SELECT i.booking_id, i.booking_created_ms, i.seq, i.epoch FROM chat.erasures e "
             "JOIN chat.items i ON i.from_id = e.user_id AND (i.content <> '' OR i.body IS NOT NULL) "
             "WHERE e.done_ms IS NULL AND i.kind <> 4 AND i.sent_at_ms <= e.requested_ms LIMIT " BATCH_TEXT,
             0, NULL, query_timeout_ms(store), on_rows, eraser);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

void eraser_wake(struct eraser *eraser)
{
    uv_timer_start(&eraser->timer, on_timer, 0, INTERVAL_MS);
}

struct eraser *eraser_create(struct chat_store *store)
{
    struct eraser *eraser = mem_alloc(sizeof(*eraser));
    eraser->store = store;
    uv_timer_init(service_loop(store->service), &eraser->timer);
    eraser->timer.data = eraser;
    uv_timer_start(&eraser->timer, on_timer, INTERVAL_MS, INTERVAL_MS);
    return eraser;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void eraser_destroy(struct eraser **eraser_pointer)
{
    struct eraser *eraser = *eraser_pointer;
    *eraser_pointer = NULL;
    if (eraser == NULL)
        return;
    if (eraser->is_busy)
        end_batch(eraser, false);
    uv_close((uv_handle_t *)&eraser->timer, on_closed);
}
