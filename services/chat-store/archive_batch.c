#include "archive_batch.h"

#include "archive_rows.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "log/log.h"

#define RETRY_BASE_MS 50
#define RETRY_CAP_MS 2000

/* --- items -------------------------------------------------------------------------------------------------------- */

static void free_item(struct archive_item *item)
{
    list_remove(&item->node);
    hansom__chat_item__free_unpacked(item->item, NULL);
    mem_free(item);
}

void archive_item_end(struct bus_pull *pull, struct archive_item *item)
{
    bus_pull_ack(pull, item->reply);
    free_item(item);
}

void archive_item_put_back(struct bus_pull *pull, struct archive_item *item, uint64_t delay_ms)
{
    bus_pull_retry(pull, item->reply, delay_ms);
    free_item(item);
}

static uint64_t epoch_of(const struct archive_batch *batch)
{
    return archive_item_at(batch->items.next)->epoch;
}

bool archive_batch_fits(const struct archive_batch *batch, const struct archive_item *item)
{
    return batch->count == 0 || epoch_of(batch) == item->epoch;
}

void archive_batch_add(struct archive_batch *batch, struct archive_item *item)
{
    list_append(&batch->items, &item->node);
    batch->count++;
}

/* --- after the commit --------------------------------------------------------------------------------------------- */

static void on_removed(void *context, enum bus_status status, const struct bus_message *reply)
{
    (void)context;
    (void)reply;
    if (status != BUS_OK)
        LOG_WARN("duplicate_not_removed", LOG_STR("status", bus_status_name(status)));
}

/* A message id that had been stored before, beyond the stream's window: the later one goes. */
static void remove_duplicate(struct archive_batch *batch, uint64_t epoch, uint64_t sequence)
{
    struct chat_store *store = batch->store;
    if (epoch != bus_stream_epoch(store->bus, STREAM_CHAT))
        return; /* the stream that it lay in is gone */
    LOG_INFO("duplicate_removed", LOG_INT("seq", sequence));
    metrics_add(store->metrics, METRIC_CHAT_DUPLICATES, 0, 0, 1);
    bus_delete_sequence(store->bus, STREAM_CHAT, sequence, query_timeout_ms(store), on_removed, NULL);
}

static void count_item(struct archive_batch *batch, const struct archive_item *item)
{
    struct metrics *metrics = batch->store->metrics;
    int64_t took_ms = clock_wall_ms() - item->stored_at_ms;
    unsigned kind = item->item->kind <= HANSOM__CHAT_KIND__CHAT_KIND_SYSTEM ? (unsigned)item->item->kind : 0;
    metrics_add(metrics, METRIC_CHAT_ARCHIVED, kind, 0, 1);
    metrics_observe(metrics, METRIC_CHAT_ARCHIVE_SECONDS, 0, 0, took_ms < 0 ? 0 : (double)took_ms / 1000);
}

void archive_batch_done(struct archive_batch *batch)
{
    ASSERT(list_is_empty(&batch->items));
    batch->count = 0;
    batch->is_busy = false;
    batch->attempt = 0;
    batch->may_be_there = false;
    batch->on_done(batch->context, batch);
}

static void finish_batch(struct archive_batch *batch)
{
    LIST_EACH_SAFE(&batch->items, node, following)
    {
        struct archive_item *item = archive_item_at(node);
        if (!item->was_there)
            count_item(batch, item);
        archive_item_end(batch->pull, item);
    }
    archive_batch_done(batch);
}

static void retry_later(struct archive_batch *batch);

/* Outcomes that say nothing about the items: the same again, later. */
static bool is_worth_repeating(enum pg_status status, const char *sqlstate)
{
    static const char *const classes[] = {"08", "40", "53", "55", "57", "58"};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return status != PG_FAILED || *sqlstate == '\0';
}

static void note_outcome(struct archive_batch *batch, enum pg_status status, const struct pg_result *result)
{
    static const enum batch_outcome outcomes[] = {
        [PG_OK] = BATCH_COMMITTED,
        [PG_FAILED] = BATCH_FAILED,
        [PG_UNCERTAIN] = BATCH_UNCERTAIN,
        [PG_UNAVAILABLE] = BATCH_UNAVAILABLE,
    };
    metrics_add(batch->store->metrics, METRIC_CHAT_BATCHES, outcomes[status], 0, 1);
    if (status == PG_FAILED)
        LOG_WARN("archive_refused", LOG_STR("sqlstate", pg_sqlstate(result)), LOG_INT("items", batch->count));
}

/* --- deletions: the content of what was deleted goes too ---------------------------------------------------------- */

static void on_blanked(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archive_batch *batch = context;
    if (status == PG_OK) {
        finish_batch(batch);
        return;
    }
    note_outcome(batch, status, result);
    retry_later(batch);
}

/* Whichever of a message and its deletion is archived later finds the other. Deletions and edits always look; a message
 * only when its chat has got ahead of it, or when an earlier try may have seen that. */
static bool may_be_deleted(const struct archive_item *item)
{
    bool is_change = item->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE ||
                     item->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_EDIT;
    return is_change || item->is_overtaken || item->was_there;
}

static void blank_deleted(struct archive_batch *batch)
{
    struct pg_array bookings, created;
    pg_array_begin(&bookings);
    pg_array_begin(&created);
    LIST_EACH(&batch->items, node)
    {
        const struct archive_item *item = archive_item_at(node);
        if (!may_be_deleted(item))
            continue;
        pg_array_text(&bookings, item->item->booking_id);
        pg_array_int(&created, item->item->booking_created_at_ms);
    }
    if (bookings.count > 0) {
        const char *const parameters[] = {pg_array_end(&bookings), pg_array_end(&created)};
        pg_query(batch->store->archive_pg, archive_blank_sql, ARRAY_LEN(parameters), parameters,
                 query_timeout_ms(batch->store), on_blanked, batch);
    } else {
        finish_batch(batch);
    }
    pg_array_finish(&bookings);
    pg_array_finish(&created);
}

/* --- what was there already --------------------------------------------------------------------------------------- */

static void on_duplicates(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archive_batch *batch = context;
    if (status != PG_OK) {
        note_outcome(batch, status, result);
        retry_later(batch);
        return;
    }
    for (size_t i = 0; i < pg_row_count(result); i++)
        remove_duplicate(batch, epoch_of(batch), (uint64_t)pg_value_int(result, i, 0));
    blank_deleted(batch);
}

static void ask_for_duplicates(struct archive_batch *batch)
{
    struct pg_array bookings, created, sequences;
    char epoch[NUMBER_SIZE];
    pg_array_begin(&bookings);
    pg_array_begin(&created);
    pg_array_begin(&sequences);
    LIST_EACH(&batch->items, node)
    {
        const struct archive_item *item = archive_item_at(node);
        if (!item->was_there)
            continue;
        pg_array_text(&bookings, item->item->booking_id);
        pg_array_int(&created, item->item->booking_created_at_ms);
        pg_array_int(&sequences, (int64_t)item->sequence);
    }
    const char *const parameters[] = {pg_array_end(&bookings), pg_array_end(&created), pg_array_end(&sequences),
                                      number_text(epoch, (int64_t)epoch_of(batch))};
    pg_query(batch->store->archive_pg, archive_duplicates_sql, ARRAY_LEN(parameters), parameters,
             query_timeout_ms(batch->store), on_duplicates, batch);
    pg_array_finish(&bookings);
    pg_array_finish(&created);
    pg_array_finish(&sequences);
}

static bool note_row(struct archive_batch *batch, uint64_t sequence, bool is_overtaken)
{
    LIST_EACH(&batch->items, node)
    {
        struct archive_item *item = archive_item_at(node);
        if (item->sequence != sequence)
            continue;
        item->was_there |= !is_overtaken;
        item->is_overtaken |= is_overtaken;
    }
    return !is_overtaken;
}

/* True: something was there already. */
static bool note_inserted(struct archive_batch *batch, const struct pg_result *result)
{
    bool is_any_there = false;
    for (size_t row = 0; row < pg_row_count(result); row++) {
        int64_t value = pg_value_int(result, row, 1);
        if (pg_value(result, row, 0) == NULL)
            metrics_add(batch->store->metrics, METRIC_CHAT_CHATS, 0, 0, (uint64_t)value);
        else
            is_any_there |= note_row(batch, (uint64_t)pg_value_int(result, row, 0), value != 0);
    }
    return is_any_there;
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer)
{
    archive_batch_send(timer->data);
}

static void retry_later(struct archive_batch *batch)
{
    uv_timer_start(&batch->retry, on_retry, backoff_full_jitter_ms(batch->attempt++, RETRY_BASE_MS, RETRY_CAP_MS), 0);
}

static void on_partitions(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archive_batch *batch = context;
    if (status == PG_FAILED)
        LOG_WARN("partition_not_made", LOG_STR("sqlstate", pg_sqlstate(result)));
    retry_later(batch);
}

/* Bookings from a week that has no partition yet. */
static void make_partitions(struct archive_batch *batch)
{
    struct pg_array created;
    pg_array_begin(&created);
    LIST_EACH(&batch->items, node)
    pg_array_int(&created, archive_item_at(node)->item->booking_created_at_ms);
    const char *const parameters[] = {pg_array_end(&created)};
    pg_query(batch->store->archive_pg,
             "SELECT chat.ensure_partition(week * 604800000) FROM (SELECT DISTINCT chat.week_of(ms) AS week "
             "FROM unnest($1::bigint[]) AS t (ms)) AS weeks ORDER BY week",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(batch->store), on_partitions, batch);
    pg_array_finish(&created);
}

#define SQLSTATE_NO_PARTITION "23514" /* check_violation: no partition of relation found for row */
#define SQLSTATE_IS_THERE "23505"     /* unique_violation */

static void on_batch(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archive_batch *batch = context;
    if (status == PG_FAILED && str_equal(pg_sqlstate(result), SQLSTATE_NO_PARTITION)) {
        make_partitions(batch);
        return;
    }
    bool expected_new = !batch->may_be_there;
    batch->may_be_there = true; /* should it come again */
    if (status == PG_FAILED && expected_new && str_equal(pg_sqlstate(result), SQLSTATE_IS_THERE)) {
        archive_batch_send(batch);
        return;
    }
    note_outcome(batch, status, result);
    if (status == PG_OK && note_inserted(batch, result))
        ask_for_duplicates(batch);
    else if (status == PG_OK)
        blank_deleted(batch);
    else if (is_worth_repeating(status, pg_sqlstate(result)))
        retry_later(batch);
    else
        batch->on_refused(batch->context, batch);
}

void archive_batch_send(struct archive_batch *batch)
{
    struct archive_rows rows;
    batch->is_busy = true;
    const char *parameters[ARCHIVE_COLUMN_COUNT + 1];
    char epoch[NUMBER_SIZE];
    archive_rows_begin(&rows);
    LIST_EACH(&batch->items, node)
    {
        archive_item_at(node)->was_there = archive_item_at(node)->is_overtaken = false;
        archive_rows_add(&rows, archive_item_at(node)->item, archive_item_at(node)->sequence);
    }
    archive_rows_end(&rows, parameters);
    parameters[ARCHIVE_COLUMN_COUNT] = number_text(epoch, (int64_t)epoch_of(batch));
    pg_query_prepared(batch->store->archive_pg, batch->may_be_there ? archive_insert_sql : archive_insert_new_sql,
                      ARRAY_LEN(parameters), parameters, query_timeout_ms(batch->store), on_batch, batch);
    archive_rows_finish(&rows);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void archive_batch_hurry(struct archive_batch *batch)
{
    if (uv_is_active((uv_handle_t *)&batch->retry))
        uv_timer_start(&batch->retry, on_retry, 0, 0);
}

void archive_batch_init(struct archive_batch *batch, struct chat_store *store, archive_batch_cb *on_done,
                        archive_batch_cb *on_refused, void *context)
{
    batch->store = store;
    list_init(&batch->items);
    batch->on_done = on_done;
    batch->on_refused = on_refused;
    batch->context = context;
    uv_timer_init(service_loop(store->service), &batch->retry);
    batch->retry.data = batch;
}
