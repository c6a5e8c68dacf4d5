#include "kv_keeper.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/hashmap.h"
#include "base/list.h"
#include "log/log.h"

#define TRY_TIMEOUT_MS 2000
#define RETRY_BASE_MS 100
#define RETRY_CAP_MS 5000
#define TRIES_MAX 60
#define TICK_MS 50

struct write {
    struct kv_keeper *keeper;
    struct list_node node;
    char *subject, *message_id;
    void *data;
    size_t length;
    uint32_t tries;
    uint64_t retry_at_ms;
    struct bus_request *request;
};

struct kv_keeper {
    struct bus *bus;
    kv_keeper_failed_cb *on_failed;
    void *context;
    struct list_node writes;
    struct hashmap *newest; /* subject -> write without a message id */
    uv_timer_t tick;
};

static void write_free(struct write *write)
{
    if (hashmap_get(write->keeper->newest, write->subject) == write)
        hashmap_remove(write->keeper->newest, write->subject);
    list_remove(&write->node);
    bus_request_cancel(&write->request);
    mem_free(write->subject);
    mem_free(write->message_id);
    mem_free(write->data);
    mem_free(write);
}

static void on_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct write *write = context;
    (void)ack;
    write->request = NULL;
    if (status == BUS_OK) {
        write_free(write);
        return;
    }
    write->keeper->on_failed(write->keeper->context);
    if (++write->tries >= TRIES_MAX) {
        LOG_ERROR("write_given_up", LOG_STR("status", bus_status_name(status)), LOG_INT("tries", write->tries));
        write_free(write);
        return;
    }
    write->retry_at_ms = clock_monotonic_ms() + backoff_full_jitter_ms(write->tries, RETRY_BASE_MS, RETRY_CAP_MS);
}

static void try_now(struct write *write)
{
    write->request = bus_store(write->keeper->bus, write->subject, write->message_id, BUS_ANY_REVISION, write->data,
                               write->length, TRY_TIMEOUT_MS, on_stored, write);
}

static void on_tick(uv_timer_t *timer)
{
    struct kv_keeper *keeper = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    LIST_EACH(&keeper->writes, node)
    {
        struct write *write = CONTAINER_OF(node, struct write, node);
        if (write->request == NULL && now_ms >= write->retry_at_ms)
            try_now(write);
    }
}

struct kv_keeper *kv_keeper_create(struct bus *bus, uv_loop_t *loop, kv_keeper_failed_cb *on_failed, void *context)
{
    struct kv_keeper *keeper = mem_alloc(sizeof(*keeper));
    keeper->bus = bus;
    keeper->on_failed = on_failed;
    keeper->context = context;
    keeper->newest = hashmap_create();
    list_init(&keeper->writes);
    uv_timer_init(loop, &keeper->tick);
    keeper->tick.data = keeper;
    uv_timer_start(&keeper->tick, on_tick, TICK_MS, TICK_MS);
    return keeper;
}

static void on_tick_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void kv_keeper_destroy(struct kv_keeper **keeper_pointer)
{
    struct kv_keeper *keeper = *keeper_pointer;
    *keeper_pointer = NULL;
    if (keeper == NULL)
        return;
    while (!list_is_empty(&keeper->writes))
        write_free(CONTAINER_OF(keeper->writes.next, struct write, node));
    hashmap_destroy(&keeper->newest);
    uv_close((uv_handle_t *)&keeper->tick, on_tick_closed);
}

void kv_keeper_store(struct kv_keeper *keeper, const char *subject, const char *message_id, const void *data,
                     size_t length)
{
    struct write *former = message_id == NULL ? hashmap_get(keeper->newest, subject) : NULL;
    if (former != NULL)
        write_free(former);
    struct write *write = mem_alloc(sizeof(*write));
    write->keeper = keeper;
    write->subject = mem_strdup(subject);
    write->message_id = message_id == NULL ? NULL : mem_strdup(message_id);
    write->data = mem_dup(data, length);
    write->length = length;
    list_append(&keeper->writes, &write->node);
    if (message_id == NULL)
        hashmap_set(keeper->newest, subject, write);
    try_now(write);
}
