/*
 * Requests and their replies: one wildcard inbox, a slot per request under way. The reply subject ends in
 * "<slot>_<generation>", so a late answer to a slot used again is recognised and dropped.
 */
#include "bus/bus_priv.h"

#include "base/clock.h"
#include "base/ids.h"
#include "log/log.h"

#define INBOX_PREFIX "_INBOX.hansom."

static void on_request_timer(uv_timer_t *timer);

void bus_requests_init(struct bus *bus)
{
    uint64_t random_id;
    random_bytes(&random_id, sizeof(random_id));
    int written = snprintf(bus->inbox_subject, sizeof(bus->inbox_subject), INBOX_PREFIX "%016llx.*",
                           (unsigned long long)random_id);
    bus->inbox_prefix_length = (size_t)written - 1;
    heap_init(&bus->deadlines);
    uv_timer_init(bus->loop, &bus->request_timer);
    bus->request_timer.data = bus;
    bus->open_handles++;
}

static void slot_release(struct bus *bus, struct bus_request *request)
{
    heap_remove(&bus->deadlines, &request->deadline);
    struct bus_slot *slot = &bus->slots[request->slot];
    slot->request = NULL;
    slot->generation++;
    bus->slot_free_hint = request->slot;
}

static void request_timer_closed(uv_handle_t *handle)
{
    struct bus *bus = handle->data;
    /* The wake handle is closed after this one and frees the bus. */
    bus->open_handles--;
}

void bus_requests_finish(struct bus *bus)
{
    for (uint32_t i = 0; i < bus->slot_count; i++)
        mem_free(bus->slots[i].request);
    mem_free(bus->slots);
    bus->slots = NULL;
    bus->slot_count = 0;
    heap_finish(&bus->deadlines);
    if (bus->request_timer.data != NULL)
        uv_close((uv_handle_t *)&bus->request_timer, request_timer_closed);
}

static void arm_timer(struct bus *bus)
{
    struct heap_node *first = heap_first(&bus->deadlines);
    if (first == NULL) {
        uv_timer_stop(&bus->request_timer);
        return;
    }
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t wait_ms = first->key > now_ms ? first->key - now_ms : 0;
    if (!uv_is_active((uv_handle_t *)&bus->request_timer) || uv_timer_get_due_in(&bus->request_timer) > wait_ms) {
        uv_update_time(bus->loop);
        uv_timer_start(&bus->request_timer, on_request_timer, wait_ms, 0);
    }
}

/* Ends it: out of the tables first, so that the callback may do anything. */
static void finish(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    slot_release(request->bus, request);
    request->on_reply(request, status, message);
    mem_free(request);
}

static void on_request_timer(uv_timer_t *timer)
{
    struct bus *bus = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    for (struct heap_node *first; (first = heap_first(&bus->deadlines)) != NULL && first->key <= now_ms;) {
        struct bus_request *request = CONTAINER_OF(first, struct bus_request, deadline);
        finish(request, request->status_if_due, NULL);
    }
    arm_timer(bus);
    if (bus->on_batch_end != NULL)
        bus->on_batch_end(bus->on_batch_end_context);
}

static uint32_t slot_take(struct bus *bus)
{
    for (uint32_t i = 0; i < bus->slot_count; i++) {
        uint32_t slot = (bus->slot_free_hint + i) % bus->slot_count;
        if (bus->slots[slot].request == NULL) {
            bus->slot_free_hint = slot + 1;
            return slot;
        }
    }
    uint32_t slot = bus->slot_count;
    bus->slot_count = slot == 0 ? 64 : slot * 2;
    bus->slots = mem_realloc(bus->slots, bus->slot_count * sizeof(*bus->slots));
    memset(bus->slots + slot, 0, (bus->slot_count - slot) * sizeof(*bus->slots));
    bus->slot_free_hint = slot + 1;
    return slot;
}

static bool send_message(struct bus *bus, const struct bus_outgoing *outgoing, const char *reply)
{
    if (outgoing->headers[0].name == NULL)
        return natsConnection_PublishRequest(bus->nats, outgoing->subject, reply, outgoing->data,
                                             (int)outgoing->length) == NATS_OK;
    natsMsg *message = NULL;
    if (natsMsg_Create(&message, outgoing->subject, reply, outgoing->data, (int)outgoing->length) != NATS_OK)
        return false;
    natsStatus status = NATS_OK;
    for (size_t i = 0; i < ARRAY_LEN(outgoing->headers) && outgoing->headers[i].name != NULL && status == NATS_OK; i++)
        status = natsMsgHeader_Set(message, outgoing->headers[i].name, outgoing->headers[i].value);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(bus->nats, message);
    natsMsg_Destroy(message);
    return status == NATS_OK;
}

struct bus_request *bus_request_send(struct bus *bus, const struct bus_outgoing *outgoing, uint32_t timeout_ms,
                                     bus_raw_reply_cb *on_reply, void *context)
{
    struct bus_request *request = mem_alloc(sizeof(*request));
    request->bus = bus;
    request->slot = slot_take(bus);
    request->generation = bus->slots[request->slot].generation;
    request->on_reply = on_reply;
    request->context = context;
    request->status_if_due = BUS_TIMEOUT;
    bus->slots[request->slot].request = request;

    char reply[96];
    snprintf(reply, sizeof(reply), "%.*s%x_%x", (int)bus->inbox_prefix_length, bus->inbox_subject, request->slot,
             request->generation);
    uint64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    bool may_send = bus->is_connected || (bus->is_linked && outgoing->before_topology);
    if (!may_send || !send_message(bus, outgoing, reply)) {
        request->status_if_due = BUS_DISCONNECTED;
        deadline_ms = 0;
    } else {
        bus->stats.messages_out++;
    }
    heap_update(&bus->deadlines, &request->deadline, deadline_ms);
    arm_timer(bus);
    return request;
}

void bus_requests_on_reply(struct bus *bus, natsMsg *message)
{
    const char *token = natsMsg_GetSubject(message) + bus->inbox_prefix_length;
    char *end = NULL;
    unsigned long slot = strtoul(token, &end, 16);
    if (*end != '_' || slot >= bus->slot_count)
        return;
    unsigned long generation = strtoul(end + 1, NULL, 16);
    struct bus_request *request = bus->slots[slot].request;
    if (request == NULL || request->generation != generation)
        return;
    finish(request, natsMsg_IsNoResponders(message) ? BUS_NOT_FOUND : BUS_OK, message);
}

void bus_requests_fail_all(struct bus *bus)
{
    for (uint32_t i = 0; i < bus->slot_count; i++) {
        struct bus_request *request = bus->slots[i].request;
        if (request == NULL)
            continue;
        request->status_if_due = BUS_DISCONNECTED;
        heap_update(&bus->deadlines, &request->deadline, 0);
    }
    arm_timer(bus);
}

void bus_request_cancel(struct bus_request **request_pointer)
{
    struct bus_request *request = *request_pointer;
    *request_pointer = NULL;
    if (request == NULL)
        return;
    slot_release(request->bus, request);
    mem_free(request);
}

static void plain_reply(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    struct bus_message view;
    if (status == BUS_OK)
        bus_message_view(message, &view);
    request->callback.reply(request->context, status, status == BUS_OK ? &view : NULL);
}

struct bus_request *bus_request(struct bus *bus, const char *subject, const void *data, size_t length,
                                uint32_t timeout_ms, bus_reply_cb *callback, void *context)
{
    struct bus_outgoing outgoing = {.subject = subject, .data = data, .length = length};
    struct bus_request *request = bus_request_send(bus, &outgoing, timeout_ms, plain_reply, context);
    request->callback.reply = callback;
    return request;
}
