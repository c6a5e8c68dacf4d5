#include "pg/pg_batch.h"

#include "base/backoff.h"
#include "log/log.h"

#define RETRY_BASE_MS 50
#define RETRY_CAP_MS 2000

struct pg_batch {
    struct pg_batch_config config;
    struct list_node queue, items; /* items: of the statement under way */
    size_t queued, count;
    bool is_hurried;
    unsigned attempt;
    uv_timer_t timer; /* lingers, or waits for the next try */
};

static void write_items(struct pg_batch *batch)
{
    while (!list_is_empty(&batch->queue) && batch->count < batch->config.limit) {
        struct list_node *item = batch->queue.next;
        list_remove(item);
        list_append(&batch->items, item);
        batch->queued--;
        batch->count++;
    }
    batch->config.write(batch->config.context, &batch->items);
}

static void on_linger(uv_timer_t *timer)
{
    write_items(timer->data);
}

static void on_retry(uv_timer_t *timer)
{
    struct pg_batch *batch = timer->data;
    batch->config.write(batch->config.context, &batch->items);
}

static void begin(struct pg_batch *batch)
{
    bool is_waiting = uv_is_active((uv_handle_t *)&batch->timer);
    bool is_full = batch->queued >= batch->config.limit;
    if (batch->count > 0 || batch->queued == 0 || (is_waiting && !is_full && !batch->is_hurried))
        return;
    uv_timer_start(&batch->timer, on_linger, is_full || batch->is_hurried ? 0 : batch->config.linger_ms, 0);
}

void pg_batch_add(struct pg_batch *batch, struct list_node *item)
{
    list_append(&batch->queue, item);
    batch->queued++;
    begin(batch);
}

void pg_batch_hurry(struct pg_batch *batch)
{
    batch->is_hurried = true;
    begin(batch);
}

void pg_batch_written(struct pg_batch *batch, enum pg_status status, const struct pg_result *result)
{
    if (status != PG_OK) {
        if (status == PG_FAILED)
            LOG_WARN("batch_refused", LOG_STR("batch", batch->config.name), LOG_STR("sqlstate", pg_sqlstate(result)));
        uint64_t wait_ms = backoff_full_jitter_ms(batch->attempt++, RETRY_BASE_MS, RETRY_CAP_MS);
        uv_timer_start(&batch->timer, on_retry, wait_ms, 0);
        return;
    }
    batch->attempt = 0;
    while (!list_is_empty(&batch->items)) {
        struct list_node *item = batch->items.next;
        list_remove(item);
        batch->config.end(batch->config.context, item, true);
    }
    batch->count = 0;
    begin(batch);
}

size_t pg_batch_count(const struct pg_batch *batch)
{
    return batch->queued + batch->count;
}

struct pg_batch *pg_batch_create(const struct pg_batch_config *config)
{
    struct pg_batch *batch = mem_alloc(sizeof(*batch));
    batch->config = *config;
    list_init(&batch->queue);
    list_init(&batch->items);
    uv_timer_init(config->loop, &batch->timer);
    batch->timer.data = batch;
    return batch;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void pg_batch_destroy(struct pg_batch **batch_pointer)
{
    struct pg_batch *batch = *batch_pointer;
    *batch_pointer = NULL;
    if (batch == NULL)
        return;
    struct list_node *const lists[] = {&batch->items, &batch->queue};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        while (!list_is_empty(lists[i])) {
            struct list_node *item = lists[i]->next;
            list_remove(item);
            batch->config.end(batch->config.context, item, false);
        }
    uv_close((uv_handle_t *)&batch->timer, on_closed);
}
