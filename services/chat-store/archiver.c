#include "archiver.h"

#include "archive_batch.h"
#include "base/clock.h"
#include "log/log.h"

#define OUTSTANDING_BATCHES 4
#define TICK_MS 1000
#define EXTEND_MS 10000 /* well within the consumer's ack_wait */
#define POISON_RETRY_MS 30000

struct archiver {
    struct chat_store *store;
    struct bus_pull *pull;
    struct list_node queue; /* struct archive_item, in the order they came */
    size_t queued;
    struct archive_batch batches[ARCHIVE_BATCHES];
    size_t batch_limit; /* smaller after a refusal, until the culprit is found */
    uv_timer_t linger, tick;
    uint64_t extended_ms;
    bool is_draining;
    unsigned open_handles;
};

/* --- batches ------------------------------------------------------------------------------------------------------ */

static struct archive_item *first_of_queue(struct archiver *archiver)
{
    return archive_item_at(archiver->queue.next);
}

static void fill_batch(struct archiver *archiver, struct archive_batch *batch)
{
    while (batch->count < archiver->batch_limit && archiver->queued > 0) {
        struct archive_item *item = first_of_queue(archiver);
        if (!archive_batch_fits(batch, item))
            return;
        list_remove(&item->node);
        archiver->queued--;
        archive_batch_add(batch, item);
    }
}

static void start_batches(struct archiver *archiver);

static void on_linger(uv_timer_t *timer)
{
    start_batches(timer->data);
}

/* True: a batch is worth sending; else the timer is set. */
static bool is_time(struct archiver *archiver)
{
    uint64_t linger_ms = archiver->is_draining ? 0 : (uint64_t)archiver->store->settings->archive_linger_ms;
    uint64_t waited_ms = clock_monotonic_ms() - first_of_queue(archiver)->taken_ms;
    if (archiver->queued >= archiver->batch_limit || waited_ms >= linger_ms)
        return true;
    uv_update_time(archiver->linger.loop);
    uv_timer_start(&archiver->linger, on_linger, linger_ms - waited_ms, 0);
    return false;
}

static void start_batches(struct archiver *archiver)
{
    for (size_t i = 0; i < ARCHIVE_BATCHES && archiver->queued > 0; i++) {
        struct archive_batch *batch = &archiver->batches[i];
        if (batch->is_busy)
            continue;
        if (!is_time(archiver))
            return;
        fill_batch(archiver, batch);
        archive_batch_send(batch);
    }
}

static void on_done(void *context, struct archive_batch *batch)
{
    struct archiver *archiver = context;
    size_t full = (size_t)archiver->store->settings->archive_batch;
    (void)batch;
    archiver->batch_limit = archiver->batch_limit * 2 < full ? archiver->batch_limit * 2 : full;
    start_batches(archiver);
}

/* Smaller batches lead to the culprit, and the rest goes on. */
static void on_refused(void *context, struct archive_batch *batch)
{
    struct archiver *archiver = context;
    struct archive_item *first = archive_item_at(batch->items.next);
    if (batch->count == 1) {
        LOG_ERROR("item_poisoned", LOG_INT("seq", first->sequence), LOG_STR("booking", first->item->booking_id));
        metrics_add(archiver->store->metrics, METRIC_CHAT_POISONED, 0, 0, 1);
        archive_item_put_back(archiver->pull, first, POISON_RETRY_MS);
        archive_batch_done(batch);
        return;
    }
    archiver->batch_limit = batch->count / 2;
    for (; batch->count > archiver->batch_limit; batch->count--, archiver->queued++) {
        struct list_node *last = batch->items.prev;
        list_remove(last);
        list_append(archiver->queue.next, last); /* before the first: the order is kept */
    }
    archive_batch_send(batch);
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
    start_batches(archiver);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void extend_each(struct archiver *archiver, struct list_node *list)
{
    LIST_EACH(list, node)
    bus_pull_extend(archiver->pull, archive_item_at(node)->reply);
}

static void report_lag(struct archiver *archiver)
{
    int64_t now_ms = clock_wall_ms(), oldest_ms = now_ms;
    const struct list_node *const lists[] = {&archiver->batches[0].items, &archiver->batches[1].items,
                                             &archiver->queue};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (!list_is_empty(lists[i]) && archive_item_at(lists[i]->next)->stored_at_ms < oldest_ms)
            oldest_ms = archive_item_at(lists[i]->next)->stored_at_ms;
    metrics_gauge_set(archiver->store->metrics, METRIC_CHAT_LAG, 0, 0, (now_ms - oldest_ms) / 1000);
}

static void on_tick(uv_timer_t *timer)
{
    struct archiver *archiver = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    report_lag(archiver);
    if (now_ms - archiver->extended_ms < EXTEND_MS)
        return;
    archiver->extended_ms = now_ms;
    for (size_t i = 0; i < ARCHIVE_BATCHES; i++)
        extend_each(archiver, &archiver->batches[i].items);
    extend_each(archiver, &archiver->queue);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void drop_all(struct archiver *archiver, struct list_node *list)
{
    while (!list_is_empty(list))
        archive_item_put_back(archiver->pull, archive_item_at(list->next), 0);
}

void archiver_bus_state(struct archiver *archiver, enum bus_state state)
{
    bus_pull_bus_state(archiver->pull, state);
}

void archiver_pg_state(struct archiver *archiver, bool is_connected)
{
    for (size_t i = 0; is_connected && i < ARCHIVE_BATCHES; i++)
        archive_batch_hurry(&archiver->batches[i]);
}

struct archiver *archiver_create(struct chat_store *store)
{
    struct archiver *archiver = mem_alloc(sizeof(*archiver));
    uv_loop_t *loop = service_loop(store->service);
    archiver->store = store;
    archiver->batch_limit = (size_t)store->settings->archive_batch;
    list_init(&archiver->queue);
    uv_timer_init(loop, &archiver->linger);
    uv_timer_init(loop, &archiver->tick);
    archiver->linger.data = archiver->tick.data = archiver;
    archiver->open_handles = 2 + ARCHIVE_BATCHES;
    archiver->extended_ms = clock_monotonic_ms();
    uv_timer_start(&archiver->tick, on_tick, TICK_MS, TICK_MS);
    unsigned outstanding = (unsigned)store->settings->archive_batch * OUTSTANDING_BATCHES;
    archiver->pull = bus_pull_create(store->bus, STREAM_CHAT, CONSUMER_ARCHIVE, outstanding, on_pulled, archiver);
    for (size_t i = 0; i < ARCHIVE_BATCHES; i++) {
        archive_batch_init(&archiver->batches[i], store, on_done, on_refused, archiver);
        archiver->batches[i].pull = archiver->pull;
    }
    return archiver;
}

void archiver_drain(struct archiver *archiver)
{
    archiver->is_draining = true;
    bus_pull_stop(archiver->pull);
    start_batches(archiver);
}

bool archiver_is_idle(const struct archiver *archiver)
{
    bool is_busy = false;
    for (size_t i = 0; i < ARCHIVE_BATCHES; i++)
        is_busy |= archiver->batches[i].is_busy;
    return !is_busy && archiver->queued == 0;
}

static void note_closed(struct archiver *archiver)
{
    if (--archiver->open_handles == 0)
        mem_free(archiver);
}

static void on_closed(uv_handle_t *handle)
{
    note_closed(handle->data);
}

static void on_batch_closed(uv_handle_t *handle)
{
    note_closed(((struct archive_batch *)handle->data)->context);
}

void archiver_destroy(struct archiver **archiver_pointer)
{
    struct archiver *archiver = *archiver_pointer;
    *archiver_pointer = NULL;
    if (archiver == NULL)
        return;
    /* What another replica may do at once. */
    for (size_t i = 0; i < ARCHIVE_BATCHES; i++)
        drop_all(archiver, &archiver->batches[i].items);
    drop_all(archiver, &archiver->queue);
    bus_pull_destroy(&archiver->pull);
    uv_close((uv_handle_t *)&archiver->linger, on_closed);
    uv_close((uv_handle_t *)&archiver->tick, on_closed);
    for (size_t i = 0; i < ARCHIVE_BATCHES; i++)
        uv_close((uv_handle_t *)&archiver->batches[i].retry, on_batch_closed);
}
