#include "bus/bus_priv.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "log/log.h"

#define RECONNECT_WAIT_MS 150
#define RECONNECT_JITTER_MS 150
#define PING_INTERVAL_MS 5000
#define PINGS_OUT_MAX 2
#define CONNECT_TIMEOUT_MS 2000
#define PENDING_MESSAGES_MAX 1000000
#define CLOSE_WAIT_NS 2000000000ull

static atomic_int buses_alive;

const char *bus_status_name(enum bus_status status)
{
    static const char *const names[] = {"ok", "timeout", "disconnected", "not_found", "conflict", "error"};
    ASSERT((size_t)status < ARRAY_LEN(names));
    return names[status];
}

/* --- the queue: any thread in, loop thread out ------------------------------------------------------------------- */

static void queue_put(struct bus *bus, struct bus_entry entry)
{
    uv_mutex_lock(&bus->lock);
    struct bus_queue *queue = &bus->incoming;
    bool was_empty = queue->count == 0;
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 256 : queue->capacity * 2;
        queue->entries = mem_realloc(queue->entries, queue->capacity * sizeof(*queue->entries));
    }
    queue->entries[queue->count++] = entry;
    uv_mutex_unlock(&bus->lock);
    if (was_empty)
        uv_async_send(&bus->wake);
}

static bool queue_take_all(struct bus *bus)
{
    uv_mutex_lock(&bus->lock);
    struct bus_queue taken = bus->incoming;
    bus->incoming = bus->draining;
    bus->incoming.count = 0;
    bus->draining = taken;
    uv_mutex_unlock(&bus->lock);
    return taken.count > 0;
}

/* --- callbacks on nats.c's threads -------------------------------------------------------------------------------- */

static void on_nats_message(natsConnection *nats, natsSubscription *nats_subscription, natsMsg *message, void *closure)
{
    (void)nats;
    (void)nats_subscription;
    struct bus_subscription *subscription = closure;
    queue_put(subscription->bus,
              (struct bus_entry){.kind = ENTRY_MESSAGE, .subscription = subscription, .message = message});
}

static void on_nats_subscription_done(void *closure)
{
    struct bus_subscription *subscription = closure;
    struct bus *bus = subscription->bus;
    queue_put(bus, (struct bus_entry){.kind = ENTRY_SUBSCRIPTION_DONE, .subscription = subscription});
    uv_mutex_lock(&bus->lock);
    bus->unfinished_subscriptions--;
    uv_cond_signal(&bus->done_changed);
    uv_mutex_unlock(&bus->lock);
}

static void on_nats_connected(natsConnection *nats, void *closure)
{
    (void)nats;
    queue_put(closure, (struct bus_entry){.kind = ENTRY_CONNECTED});
}

static void on_nats_disconnected(natsConnection *nats, void *closure)
{
    (void)nats;
    queue_put(closure, (struct bus_entry){.kind = ENTRY_DISCONNECTED});
}

static void on_nats_closed(natsConnection *nats, void *closure)
{
    (void)nats;
    struct bus *bus = closure;
    uv_mutex_lock(&bus->lock);
    bus->is_closed_by_nats = true;
    uv_cond_signal(&bus->done_changed);
    uv_mutex_unlock(&bus->lock);
}

static void on_nats_error(natsConnection *nats, natsSubscription *nats_subscription, natsStatus status, void *closure)
{
    (void)nats;
    (void)closure;
    int64_t dropped = 0;
    if (nats_subscription != NULL && natsSubscription_GetDropped(nats_subscription, &dropped) != NATS_OK)
        dropped = -1;
    LOG_WARN("bus_error", LOG_STR("error", natsStatus_GetText(status)), LOG_INT("dropped", dropped));
}

/* --- messages on the loop ----------------------------------------------------------------------------------------- */

static const char *header(natsMsg *raw, const char *name)
{
    const char *value = NULL;
    return natsMsgHeader_Get(raw, name, &value) == NATS_OK ? value : NULL;
}

uint64_t bus_header_uint(natsMsg *raw, const char *name)
{
    const char *text = header(raw, name);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

int bus_header_status(natsMsg *raw)
{
    return (int)bus_header_uint(raw, "Status");
}

/* A direct get gives "2026-01-02T03:04:05.123456789Z". */
static int64_t header_time(natsMsg *raw)
{
    const char *text = header(raw, "Nats-Time-Stamp");
    int64_t unix_ms = 0;
    return text != NULL && rfc3339_parse(text, strlen(text), &unix_ms) ? unix_ms : 0;
}

void bus_message_view(natsMsg *raw, struct bus_message *view_r)
{
    *view_r = (struct bus_message){
        .subject = natsMsg_GetSubject(raw),
        .reply = natsMsg_GetReply(raw),
        .data = (const uint8_t *)natsMsg_GetData(raw),
        .length = (size_t)natsMsg_GetDataLength(raw),
        .sequence = bus_header_uint(raw, "Nats-Sequence"),
        .last_sequence = bus_header_uint(raw, "Nats-Last-Sequence"),
        .stored_at_ms = header_time(raw),
    };
}

static void subscription_free(struct bus_subscription *subscription)
{
    list_remove(&subscription->node);
    natsSubscription_Destroy(subscription->nats);
    mem_free(subscription);
}

static void connection_up(struct bus *bus)
{
    bus->is_linked = true;
    bus->stats.reconnects++;
    LOG_INFO("bus_connected");
    bus_topology_start(bus->topology);
}

void bus_set_connected(struct bus *bus)
{
    bus->is_connected = true;
    if (bus->on_state != NULL)
        bus->on_state(bus->on_state_context, BUS_CONNECTED);
}

static void connection_down(struct bus *bus)
{
    bool was_connected = bus->is_connected;
    bus->is_linked = bus->is_connected = false;
    bus_topology_stop(bus->topology);
    bus_loads_fail_all(bus);
    bus_requests_fail_all(bus);
    LOG_WARN("bus_lost");
    if (was_connected && bus->on_state != NULL)
        bus->on_state(bus->on_state_context, BUS_LOST);
}

static void deliver(struct bus *bus, struct bus_entry *entry)
{
    bus->stats.messages_in++;
    struct bus_subscription *subscription = entry->subscription;
    if (subscription == bus->inbox) {
        bus_requests_on_reply(bus, entry->message);
    } else if (!subscription->is_closed) {
        struct bus_message view;
        bus_message_view(entry->message, &view);
        subscription->callback(subscription->context, &view);
    }
    natsMsg_Destroy(entry->message);
}

static void handle(struct bus *bus, struct bus_entry *entry)
{
    switch (entry->kind) {
    case ENTRY_MESSAGE:
        deliver(bus, entry);
        break;
    case ENTRY_SUBSCRIPTION_DONE:
        subscription_free(entry->subscription);
        break;
    case ENTRY_CONNECTED:
        if (!bus->is_linked)
            connection_up(bus);
        break;
    case ENTRY_DISCONNECTED:
        connection_down(bus);
        break;
    }
}

static void on_wake(uv_async_t *wake)
{
    struct bus *bus = wake->data;
    if (!queue_take_all(bus))
        return;
    for (size_t i = 0; i < bus->draining.count; i++)
        handle(bus, &bus->draining.entries[i]);
    if (bus->on_batch_end != NULL && !bus->is_destroying)
        bus->on_batch_end(bus->on_batch_end_context);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static natsStatus set_servers(natsOptions *options, const char *url)
{
    char *copy = mem_strdup(url), *cursor = copy;
    const char *servers[16];
    int count = 0;
    for (char *part; count < 16 && (part = strsep(&cursor, ",")) != NULL;)
        if (*part != '\0')
            servers[count++] = part;
    natsStatus status = count == 0 ? NATS_INVALID_ARG : natsOptions_SetServers(options, servers, count);
    mem_free(copy);
    return status;
}

#define TRY(call)                                                                                                      \
    if (status == NATS_OK)                                                                                             \
    status = (call)

static natsStatus make_options(struct bus *bus, const struct bus_config *config)
{
    natsStatus status = natsOptions_Create(&bus->options);
    natsOptions *options = bus->options;
    TRY(set_servers(options, config->url));
    if (config->user != NULL && *config->user != '\0')
        TRY(natsOptions_SetUserInfo(options, config->user, config->password == NULL ? "" : config->password));
    TRY(natsOptions_SetName(options, config->name));
    TRY(natsOptions_SetTimeout(options, CONNECT_TIMEOUT_MS));
    TRY(natsOptions_SetPingInterval(options, PING_INTERVAL_MS));
    TRY(natsOptions_SetMaxPingsOut(options, PINGS_OUT_MAX));
    TRY(natsOptions_SetMaxReconnect(options, -1));
    TRY(natsOptions_SetReconnectWait(options, RECONNECT_WAIT_MS));
    TRY(natsOptions_SetReconnectJitter(options, RECONNECT_JITTER_MS, RECONNECT_JITTER_MS));
    TRY(natsOptions_SetReconnectBufSize(options, 1));
    TRY(natsOptions_SetMaxPendingMsgs(options, PENDING_MESSAGES_MAX));
    /* Without it nats.c's flusher thread holds a publish back for a millisecond. */
    TRY(natsOptions_SetSendAsap(options, true));
    TRY(natsOptions_UseGlobalMessageDelivery(options, true));
    TRY(natsOptions_SetRetryOnFailedConnect(options, true, on_nats_connected, bus));
    TRY(natsOptions_SetReconnectedCB(options, on_nats_connected, bus));
    TRY(natsOptions_SetDisconnectedCB(options, on_nats_disconnected, bus));
    TRY(natsOptions_SetClosedCB(options, on_nats_closed, bus));
    TRY(natsOptions_SetErrorHandler(options, on_nats_error, bus));
    return status;
}

static void init_handles(struct bus *bus)
{
    uv_async_init(bus->loop, &bus->wake, on_wake);
    bus->wake.data = bus;
    uv_mutex_init(&bus->lock);
    uv_cond_init(&bus->done_changed);
    list_init(&bus->subscriptions);
    list_init(&bus->loads);
    bus->open_handles = 1;
}

static void free_bus(struct bus *bus)
{
    LIST_EACH_SAFE(&bus->subscriptions, node, following)
    subscription_free(CONTAINER_OF(node, struct bus_subscription, node));
    for (size_t i = 0; i < bus->incoming.count; i++)
        natsMsg_Destroy(bus->incoming.entries[i].message);
    mem_free(bus->incoming.entries);
    mem_free(bus->draining.entries);
    natsConnection_Destroy(bus->nats);
    natsOptions_Destroy(bus->options);
    uv_mutex_destroy(&bus->lock);
    uv_cond_destroy(&bus->done_changed);
    mem_free(bus);
    if (atomic_fetch_sub(&buses_alive, 1) == 1)
        nats_CloseAndWait(2000);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct bus *bus = handle->data;
    if (--bus->open_handles == 0)
        free_bus(bus);
}

struct bus *bus_create(uv_loop_t *loop, const struct bus_config *config, char **error_r)
{
    struct bus *bus = mem_alloc(sizeof(*bus));
    bus->loop = loop;
    bus->replicas = config->replicas < 1 ? 1 : config->replicas;
    atomic_fetch_add(&buses_alive, 1);
    natsStatus status = nats_Open(-1);
    if (status == NATS_OK || status == NATS_FAILED_TO_INITIALIZE)
        status = nats_SetMessageDeliveryPoolSize(1);
    init_handles(bus);
    TRY(make_options(bus, config));
    if (status == NATS_OK) {
        bus_requests_init(bus);
        bus->topology = bus_topology_create(bus);
        status = natsConnection_Connect(&bus->nats, bus->options);
        if (status == NATS_OK)
            on_nats_connected(bus->nats, bus);
        else if (status == NATS_NOT_YET_CONNECTED)
            status = NATS_OK;
    }
    if (status != NATS_OK) {
        struct strbuf text;
        strbuf_init(&text, 128);
        strbuf_appendf(&text, "nats_url: %s", natsStatus_GetText(status));
        *error_r = strbuf_take(&text);
        bus_destroy(&bus);
        return NULL;
    }
    bus->inbox = bus_subscribe(bus, bus->inbox_subject, NULL, NULL, NULL);
    return bus;
}

/* Waits until no thread of nats.c can touch the bus any more. */
static void wait_for_threads(struct bus *bus)
{
    uv_mutex_lock(&bus->lock);
    /* Without a link nothing was ever delivered, and nats.c does not always tell that it closed. */
    uint64_t left_ns = bus->is_linked ? CLOSE_WAIT_NS : CLOSE_WAIT_NS / 20;
    while ((bus->unfinished_subscriptions > 0 || !bus->is_closed_by_nats) &&
           uv_cond_timedwait(&bus->done_changed, &bus->lock, left_ns) == 0)
        ;
    uv_mutex_unlock(&bus->lock);
}

void bus_destroy(struct bus **bus_pointer)
{
    struct bus *bus = *bus_pointer;
    *bus_pointer = NULL;
    if (bus == NULL)
        return;
    bus->is_destroying = true;
    if (bus->nats != NULL) {
        natsConnection_FlushTimeout(bus->nats, bus->is_linked ? 1000 : 1);
        natsConnection_Close(bus->nats);
        wait_for_threads(bus);
    }
    bus_loads_fail_all(bus);
    bus_topology_destroy(&bus->topology);
    bus_requests_finish(bus);
    uv_close((uv_handle_t *)&bus->wake, on_handle_closed);
}

bool bus_is_connected(const struct bus *bus)
{
    return bus->is_connected;
}

void bus_on_state(struct bus *bus, bus_state_cb *callback, void *context)
{
    bus->on_state = callback;
    bus->on_state_context = context;
    if (bus->is_connected && callback != NULL)
        callback(context, BUS_CONNECTED);
}

void bus_on_batch_end(struct bus *bus, bus_batch_cb *callback, void *context)
{
    bus->on_batch_end = callback;
    bus->on_batch_end_context = context;
}

/* --- subscribe and publish ---------------------------------------------------------------------------------------- */

struct bus_subscription *bus_subscribe(struct bus *bus, const char *subject, const char *queue,
                                       bus_message_cb *callback, void *context)
{
    struct bus_subscription *subscription = mem_alloc(sizeof(*subscription));
    subscription->bus = bus;
    subscription->callback = callback;
    subscription->context = context;
    list_append(&bus->subscriptions, &subscription->node);
    uv_mutex_lock(&bus->lock);
    bus->unfinished_subscriptions++;
    uv_mutex_unlock(&bus->lock);
    natsStatus status =
        queue == NULL ? natsConnection_Subscribe(&subscription->nats, bus->nats, subject, on_nats_message, subscription)
                      : natsConnection_QueueSubscribe(&subscription->nats, bus->nats, subject, queue, on_nats_message,
                                                      subscription);
    TRY(natsSubscription_SetOnCompleteCB(subscription->nats, on_nats_subscription_done, subscription));
    TRY(natsSubscription_SetPendingLimits(subscription->nats, PENDING_MESSAGES_MAX, -1));
    if (status != NATS_OK)
        LOG_ERROR("bus_subscribe_failed", LOG_STR("subject", subject), LOG_STR("error", natsStatus_GetText(status)));
    ASSERT(status == NATS_OK); /* only a malformed subject or a closed connection: our own mistake */
    return subscription;
}

void bus_unsubscribe(struct bus_subscription **subscription_pointer)
{
    struct bus_subscription *subscription = *subscription_pointer;
    *subscription_pointer = NULL;
    if (subscription == NULL)
        return;
    subscription->is_closed = true;
    natsSubscription_Unsubscribe(subscription->nats);
}

bool bus_publish(struct bus *bus, const char *subject, const void *data, size_t length)
{
    if (!bus->is_connected)
        return false;
    natsStatus status = natsConnection_Publish(bus->nats, subject, data, (int)length);
    if (status != NATS_OK) {
        bus->stats.dropped++;
        return false;
    }
    bus->stats.messages_out++;
    return true;
}

bool bus_subject_token(const char *subject, unsigned index, char *buffer, size_t size)
{
    for (; index > 0; index--) {
        subject = strchr(subject, '.');
        if (subject == NULL)
            return false;
        subject++;
    }
    size_t length = strcspn(subject, ".");
    if (length == 0 || length >= size)
        return false;
    memcpy(buffer, subject, length);
    buffer[length] = '\0';
    return true;
}

void bus_get_stats(const struct bus *bus, struct bus_stats *stats_r)
{
    *stats_r = bus->stats;
}
