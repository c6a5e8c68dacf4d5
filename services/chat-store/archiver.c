#include "archiver.h"

#include "archive_rows.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/list.h"
#include "log/log.h"

#define OUTSTANDING_BATCHES 4
#define TICK_MS 1000
#define EXTEND_MS 10000 /* well within the consumer's ack_wait */
#define RETRY_BASE_MS 50
#define RETRY_CAP_MS 2000
#define POISON_RETRY_MS 30000
#define REPLY_SIZE 256

struct archive_item {
    struct list_node node;
    Hansom__ChatItem *item;
    uint64_t epoch, sequence;
    uint64_t taken_ms;
    int64_t stored_at_ms;
    bool was_there;    /* the batch found it in the archive, or another one in its place */
    bool is_overtaken; /* something newer of its chat was archived before it */
    char reply[REPLY_SIZE];
};

struct archiver {
    struct chat_store *store;
    struct bus_pull *pull;
    struct list_node queue, batch; /* struct archive_item, in the order they came */
    size_t queued, batched;
    size_t batch_limit; /* smaller after a refusal, until the culprit is found */
    bool is_busy;       /* the batch is with the database, or waits for its next try */
    unsigned attempt;
    uv_timer_t linger, retry, tick;
    uint64_t extended_ms;
    bool is_draining;
    unsigned open_handles;
};

static void start_batch(struct archiver *archiver);
static void send_batch(struct archiver *archiver);

/* --- items -------------------------------------------------------------------------------------------------------- */

static struct archive_item *item_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct archive_item, node);
}

static void free_item(struct archive_item *item)
{
    list_remove(&item->node);
    hansom__chat_item__free_unpacked(item->item, NULL);
    mem_free(item);
}

static void end_item(struct archiver *archiver, struct archive_item *item)
{
    bus_pull_ack(archiver->pull, item->reply);
    free_item(item);
}

static void put_back(struct archiver *archiver, struct archive_item *item, uint64_t delay_ms)
{
    bus_pull_retry(archiver->pull, item->reply, delay_ms);
    free_item(item);
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
static void remove_duplicate(struct archiver *archiver, uint64_t epoch, uint64_t sequence)
{
    struct chat_store *store = archiver->store;
    if (epoch != bus_stream_epoch(store->bus, STREAM_CHAT))
        return; /* the stream that it lay in is gone */
    LOG_INFO("duplicate_removed", LOG_INT("seq", sequence));
    metrics_add(store->metrics, METRIC_CHAT_DUPLICATES, 0, 0, 1);
    bus_delete_sequence(store->bus, STREAM_CHAT, sequence, query_timeout_ms(store), on_removed, NULL);
}

static void count_item(struct archiver *archiver, const struct archive_item *item)
{
    struct metrics *metrics = archiver->store->metrics;
    int64_t took_ms = clock_wall_ms() - item->stored_at_ms;
    unsigned kind = item->item->kind <= HANSOM__CHAT_KIND__CHAT_KIND_SYSTEM ? (unsigned)item->item->kind : 0;
    metrics_add(metrics, METRIC_CHAT_ARCHIVED, kind, 0, 1);
    metrics_observe(metrics, METRIC_CHAT_ARCHIVE_SECONDS, 0, 0, took_ms < 0 ? 0 : (double)took_ms / 1000);
}

static void end_batch(struct archiver *archiver)
{
    archiver->batched = 0;
    archiver->is_busy = false;
    archiver->attempt = 0;
    size_t full = (size_t)archiver->store->settings->archive_batch;
    archiver->batch_limit = archiver->batch_limit * 2 < full ? archiver->batch_limit * 2 : full;
    start_batch(archiver);
}

static void finish_batch(struct archiver *archiver)
{
    LIST_EACH_SAFE(&archiver->batch, node, following)
    {
        struct archive_item *item = item_at(node);
        if (!item->was_there)
            count_item(archiver, item);
        end_item(archiver, item);
    }
    end_batch(archiver);
}

static void retry_later(struct archiver *archiver);

/* Outcomes that say nothing about the items: the same again, later. */
static bool is_worth_repeating(enum pg_status status, const char *sqlstate)
{
    static const char *const classes[] = {"08", "40", "53", "55", "57", "58"};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return status != PG_FAILED || *sqlstate == '\0';
}

static void note_outcome(struct archiver *archiver, enum pg_status status, const struct pg_result *result)
{
    static const enum batch_outcome outcomes[] = {
        [PG_OK] = BATCH_COMMITTED,
        [PG_FAILED] = BATCH_FAILED,
        [PG_UNCERTAIN] = BATCH_UNCERTAIN,
        [PG_UNAVAILABLE] = BATCH_UNAVAILABLE,
    };
    metrics_add(archiver->store->metrics, METRIC_CHAT_BATCHES, outcomes[status], 0, 1);
    if (status == PG_FAILED)
        LOG_WARN("archive_refused", LOG_STR("sqlstate", pg_sqlstate(result)), LOG_INT("items", archiver->batched));
}

/* --- deletions: the content of what was deleted goes too ---------------------------------------------------------- */

static void on_blanked(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archiver *archiver = context;
    if (status == PG_OK) {
        finish_batch(archiver);
        return;
    }
    note_outcome(archiver, status, result);
    retry_later(archiver);
}

/* Whichever of a message and its deletion is archived later finds the other. Deletions and edits always look; a message
 * only when its chat has got ahead of it, or when an earlier try may have seen that. */
static bool may_be_deleted(const struct archive_item *item)
{
    bool is_change = item->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE ||
                     item->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_EDIT;
    return is_change || item->is_overtaken || item->was_there;
}

static void blank_deleted(struct archiver *archiver)
{
    struct pg_array bookings, created;
    pg_array_begin(&bookings);
    pg_array_begin(&created);
    LIST_EACH(&archiver->batch, node)
    {
        const struct archive_item *item = item_at(node);
        if (!may_be_deleted(item))
            continue;
        pg_array_text(&bookings, item->item->booking_id);
        pg_array_int(&created, item->item->booking_created_at_ms);
    }
    if (bookings.count > 0) {
        const char *const parameters[] = {pg_array_end(&bookings), pg_array_end(&created)};
        pg_query(archiver->store->archive_pg, archive_blank_sql, ARRAY_LEN(parameters), parameters,
                 query_timeout_ms(archiver->store), on_blanked, archiver);
    } else {
        finish_batch(archiver);
    }
    pg_array_finish(&bookings);
    pg_array_finish(&created);
}

/* --- what was there already --------------------------------------------------------------------------------------- */

static void on_duplicates(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archiver *archiver = context;
    if (status != PG_OK) {
        note_outcome(archiver, status, result);
        retry_later(archiver);
        return;
    }
    for (size_t i = 0; i < pg_row_count(result); i++)
        remove_duplicate(archiver, (uint64_t)pg_value_int(result, i, 1), (uint64_t)pg_value_int(result, i, 0));
    blank_deleted(archiver);
}

static void ask_for_duplicates(struct archiver *archiver)
{
    struct pg_array bookings, created, sequences, epochs;
    pg_array_begin(&bookings);
    pg_array_begin(&created);
    pg_array_begin(&sequences);
    pg_array_begin(&epochs);
    LIST_EACH(&archiver->batch, node)
    {
        const struct archive_item *item = item_at(node);
        if (!item->was_there)
            continue;
        pg_array_text(&bookings, item->item->booking_id);
        pg_array_int(&created, item->item->booking_created_at_ms);
        pg_array_int(&sequences, (int64_t)item->sequence);
        pg_array_int(&epochs, (int64_t)item->epoch);
    }
    const char *const parameters[] = {pg_array_end(&bookings), pg_array_end(&created), pg_array_end(&sequences),
                                      pg_array_end(&epochs)};
    pg_query(archiver->store->archive_pg, archive_duplicates_sql, ARRAY_LEN(parameters), parameters,
             query_timeout_ms(archiver->store), on_duplicates, archiver);
    pg_array_finish(&bookings);
    pg_array_finish(&created);
    pg_array_finish(&sequences);
    pg_array_finish(&epochs);
}

static bool note_row(struct archiver *archiver, uint64_t sequence, bool is_overtaken)
{
    LIST_EACH(&archiver->batch, node)
    {
        struct archive_item *item = item_at(node);
        if (item->sequence != sequence)
            continue;
        item->was_there |= !is_overtaken;
        item->is_overtaken |= is_overtaken;
    }
    return !is_overtaken;
}

/* True: something was there already. */
static bool note_inserted(struct archiver *archiver, const struct pg_result *result)
{
    bool is_any_there = false;
    for (size_t row = 0; row < pg_row_count(result); row++) {
        int64_t value = pg_value_int(result, row, 1);
        if (pg_value(result, row, 0) == NULL)
            metrics_add(archiver->store->metrics, METRIC_CHAT_CHATS, 0, 0, (uint64_t)value);
        else
            is_any_there |= note_row(archiver, (uint64_t)pg_value_int(result, row, 0), value != 0);
    }
    return is_any_there;
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer)
{
    send_batch(timer->data);
}

static void retry_later(struct archiver *archiver)
{
    uv_timer_start(&archiver->retry, on_retry, backoff_full_jitter_ms(archiver->attempt++, RETRY_BASE_MS, RETRY_CAP_MS),
                   0);
}

/* The database refuses something in it: smaller batches lead to the culprit, and the rest goes on. */
static void narrow_down(struct archiver *archiver)
{
    if (archiver->batched == 1) {
        struct archive_item *item = item_at(archiver->batch.next);
        LOG_ERROR("item_poisoned", LOG_INT("seq", item->sequence), LOG_STR("booking", item->item->booking_id));
        metrics_add(archiver->store->metrics, METRIC_CHAT_POISONED, 0, 0, 1);
        put_back(archiver, item, POISON_RETRY_MS);
        end_batch(archiver);
        return;
    }
    archiver->batch_limit = archiver->batched / 2;
    for (; archiver->batched > archiver->batch_limit; archiver->batched--, archiver->queued++) {
        struct list_node *last = archiver->batch.prev;
        list_remove(last);
        list_append(archiver->queue.next, last); /* before the first: the order is kept */
    }
    send_batch(archiver);
}

static void on_partitions(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archiver *archiver = context;
    (void)result;
    (void)status;
    retry_later(archiver);
}

/* Bookings from a week that has no partition yet. */
static void make_partitions(struct archiver *archiver)
{
    struct pg_array created;
    pg_array_begin(&created);
    LIST_EACH(&archiver->batch, node)
    pg_array_int(&created, item_at(node)->item->booking_created_at_ms);
    const char *const parameters[] = {pg_array_end(&created)};
    pg_query(archiver->store->archive_pg,
             "SELECT chat.ensure_partition(week * 604800000) FROM (SELECT DISTINCT chat.week_of(ms) AS week "
             "FROM unnest($1::bigint[]) AS t (ms)) AS weeks ORDER BY week",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(archiver->store), on_partitions, archiver);
    pg_array_finish(&created);
}

#define SQLSTATE_NO_PARTITION "23514" /* check_violation: no partition of relation found for row */

static void on_batch(void *context, enum pg_status status, const struct pg_result *result)
{
    struct archiver *archiver = context;
    if (status == PG_FAILED && str_equal(pg_sqlstate(result), SQLSTATE_NO_PARTITION)) {
        make_partitions(archiver);
        return;
    }
    note_outcome(archiver, status, result);
    if (status == PG_OK && note_inserted(archiver, result))
        ask_for_duplicates(archiver);
    else if (status == PG_OK)
        blank_deleted(archiver);
    else if (is_worth_repeating(status, pg_sqlstate(result)))
        retry_later(archiver);
    else
        narrow_down(archiver);
}

static void send_batch(struct archiver *archiver)
{
    struct archive_rows rows;
    const char *parameters[ARCHIVE_COLUMN_COUNT];
    archive_rows_begin(&rows);
    LIST_EACH(&archiver->batch, node)
    {
        item_at(node)->was_there = item_at(node)->is_overtaken = false;
        archive_rows_add(&rows, item_at(node)->item, item_at(node)->epoch, item_at(node)->sequence);
    }
    archive_rows_end(&rows, parameters);
    pg_query(archiver->store->archive_pg, archive_insert_sql, ARRAY_LEN(parameters), parameters,
             query_timeout_ms(archiver->store), on_batch, archiver);
    archive_rows_finish(&rows);
}

static void on_linger(uv_timer_t *timer)
{
    start_batch(timer->data);
}

static void start_batch(struct archiver *archiver)
{
    if (archiver->is_busy || archiver->queued == 0)
        return;
    uint64_t linger_ms = archiver->is_draining ? 0 : (uint64_t)archiver->store->settings->archive_linger_ms;
    uint64_t waited_ms = clock_monotonic_ms() - item_at(archiver->queue.next)->taken_ms;
    if (archiver->queued < archiver->batch_limit && waited_ms < linger_ms) {
        uv_update_time(archiver->linger.loop);
        uv_timer_start(&archiver->linger, on_linger, linger_ms - waited_ms, 0);
        return;
    }
    archiver->is_busy = true;
    while (archiver->batched < archiver->batch_limit && archiver->queued > 0) {
        struct list_node *node = archiver->queue.next;
        list_remove(node);
        list_append(&archiver->batch, node);
        archiver->batched++;
        archiver->queued--;
    }
    send_batch(archiver);
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static void on_pulled(void *context, const struct bus_pulled *pulled)
{
    struct archiver *archiver = context;
    const struct bus_message *message = &pulled->message;
    Hansom__ChatItem *unpacked = hansom__chat_item__unpack(NULL, message->length, message->data);
    if (unpacked == NULL) {
        LOG_ERROR("item_not_understood", LOG_INT("seq", message->sequence));
        metrics_add(archiver->store->metrics, METRIC_CHAT_POISONED, 0, 0, 1);
        bus_pull_retry(archiver->pull, message->reply, POISON_RETRY_MS);
        return;
    }
    struct archive_item *item = mem_alloc(sizeof(*item));
    item->item = unpacked;
    item->epoch = bus_stream_epoch(archiver->store->bus, STREAM_CHAT);
    item->sequence = message->sequence;
    item->stored_at_ms = message->stored_at_ms;
    item->taken_ms = clock_monotonic_ms();
    ASSERT(str_copy(item->reply, sizeof(item->reply), message->reply));
    list_append(&archiver->queue, &item->node);
    archiver->queued++;
    start_batch(archiver);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void extend_each(struct archiver *archiver, struct list_node *list)
{
    LIST_EACH(list, node)
    bus_pull_extend(archiver->pull, item_at(node)->reply);
}

static void report_lag(struct archiver *archiver)
{
    struct list_node *oldest = !list_is_empty(&archiver->batch)   ? archiver->batch.next
                               : !list_is_empty(&archiver->queue) ? archiver->queue.next
                                                                  : NULL;
    int64_t lag_ms = oldest == NULL ? 0 : clock_wall_ms() - item_at(oldest)->stored_at_ms;
    metrics_gauge_set(archiver->store->metrics, METRIC_CHAT_LAG, 0, 0, lag_ms < 0 ? 0 : lag_ms / 1000);
}

static void on_tick(uv_timer_t *timer)
{
    struct archiver *archiver = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    report_lag(archiver);
    if (now_ms - archiver->extended_ms < EXTEND_MS)
        return;
    archiver->extended_ms = now_ms;
    extend_each(archiver, &archiver->batch);
    extend_each(archiver, &archiver->queue);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void drop_all(struct archiver *archiver, struct list_node *list)
{
    while (!list_is_empty(list))
        put_back(archiver, item_at(list->next), 0);
}

void archiver_bus_state(struct archiver *archiver, enum bus_state state)
{
    bus_pull_bus_state(archiver->pull, state);
}

void archiver_pg_state(struct archiver *archiver, bool is_connected)
{
    /* No need to wait out a long back-off. */
    if (is_connected && uv_is_active((uv_handle_t *)&archiver->retry))
        uv_timer_start(&archiver->retry, on_retry, 0, 0);
}

struct archiver *archiver_create(struct chat_store *store)
{
    struct archiver *archiver = mem_alloc(sizeof(*archiver));
    uv_loop_t *loop = service_loop(store->service);
    archiver->store = store;
    archiver->batch_limit = (size_t)store->settings->archive_batch;
    list_init(&archiver->queue);
    list_init(&archiver->batch);
    uv_timer_t *const timers[] = {&archiver->linger, &archiver->retry, &archiver->tick};
    for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
        uv_timer_init(loop, timers[i]);
        timers[i]->data = archiver;
    }
    archiver->open_handles = ARRAY_LEN(timers);
    archiver->extended_ms = clock_monotonic_ms();
    uv_timer_start(&archiver->tick, on_tick, TICK_MS, TICK_MS);
    unsigned outstanding = (unsigned)store->settings->archive_batch * OUTSTANDING_BATCHES;
    archiver->pull = bus_pull_create(store->bus, STREAM_CHAT, CONSUMER_ARCHIVE, outstanding, on_pulled, archiver);
    return archiver;
}

void archiver_drain(struct archiver *archiver)
{
    archiver->is_draining = true;
    bus_pull_stop(archiver->pull);
    start_batch(archiver);
}

bool archiver_is_idle(const struct archiver *archiver)
{
    return !archiver->is_busy && archiver->queued == 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct archiver *archiver = handle->data;
    if (--archiver->open_handles == 0)
        mem_free(archiver);
}

void archiver_destroy(struct archiver **archiver_pointer)
{
    struct archiver *archiver = *archiver_pointer;
    *archiver_pointer = NULL;
    if (archiver == NULL)
        return;
    /* What another replica may do at once. */
    drop_all(archiver, &archiver->batch);
    drop_all(archiver, &archiver->queue);
    bus_pull_destroy(&archiver->pull);
    uv_close((uv_handle_t *)&archiver->linger, on_closed);
    uv_close((uv_handle_t *)&archiver->retry, on_closed);
    uv_close((uv_handle_t *)&archiver->tick, on_closed);
}
