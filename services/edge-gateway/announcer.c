#include "announcer.h"

#include "base/clock.h"
#include "hub.h"
#include "proto/subjects.h"

#define ALIVE_MS 1000

struct announcer {
    struct gateway *gateway;
    struct bus_subscription *sync;
    uv_timer_t alive;
    struct strbuf bytes;
};

static void say(struct announcer *announcer, const struct session *session, Hansom__ConnectionEvent event)
{
    const struct principal *principal = session->principal;
    Hansom__Connection message = HANSOM__CONNECTION__INIT;
    message.user_id = principal->user_id;
    message.role = (Hansom__Role)principal->role;
    message.session_id = (char *)session->id;
    message.gateway_id = announcer->gateway->id;
    message.event = event;
    message.at_ms = clock_wall_ms();
    message.publisher_revision = session->publisher_revision;
    strbuf_clear(&announcer->bytes);
    MESSAGE_PACK(&announcer->bytes, &message);
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_CONNECTION, partition_of(principal->user_id), principal->user_id);
    /* What is not said while the bus is away is said again at the next connect. */
    bus_publish(announcer->gateway->bus, subject, announcer->bytes.data, announcer->bytes.length);
}

void announcer_opened(struct announcer *announcer, const struct session *session)
{
    say(announcer, session, HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_OPENED);
}

void announcer_closed(struct announcer *announcer, const struct session *session, Hansom__ConnectionEvent event)
{
    say(announcer, session, event);
}

void announcer_repeat(struct announcer *announcer, uint32_t partition)
{
    LIST_EACH(&announcer->gateway->sessions, node)
    {
        const struct session *session = CONTAINER_OF(node, struct session, in_gateway);
        if (session_is_open(session) &&
            (partition == PARTITION_COUNT || partition_of(session->principal->user_id) == partition))
            say(announcer, session, HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_STILL_OPEN);
    }
}

static void on_sync(void *context, const struct bus_message *message)
{
    char token[16];
    if (!bus_subject_token(message->subject, 2, token, sizeof(token)))
        return;
    unsigned long partition = strtoul(token, NULL, 10);
    if (partition < PARTITION_COUNT)
        announcer_repeat(context, (uint32_t)partition);
}

static void on_alive(uv_timer_t *timer)
{
    struct announcer *announcer = timer->data;
    struct gateway *gateway = announcer->gateway;
    Hansom__GatewayAlive message = HANSOM__GATEWAY_ALIVE__INIT;
    message.gateway_id = gateway->id;
    message.at_ms = clock_wall_ms();
    message.connections = (uint32_t)gateway->session_count;
    strbuf_clear(&announcer->bytes);
    MESSAGE_PACK(&announcer->bytes, &message);
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_GATEWAY_ALIVE, gateway->id);
    bus_publish(gateway->bus, subject, announcer->bytes.data, announcer->bytes.length);
    hub_report_viewers(gateway->hub, clock_monotonic_ms());
}

struct announcer *announcer_create(struct gateway *gateway)
{
    struct announcer *announcer = mem_alloc(sizeof(*announcer));
    announcer->gateway = gateway;
    strbuf_init(&announcer->bytes, 256);
    announcer->sync = bus_subscribe(gateway->bus, SUBJECT_PRESENCE_SYNC_ALL, NULL, on_sync, announcer);
    uv_timer_init(gateway->loop, &announcer->alive);
    announcer->alive.data = announcer;
    uv_timer_start(&announcer->alive, on_alive, 0, ALIVE_MS);
    return announcer;
}

static void on_alive_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void announcer_destroy(struct announcer **announcer_pointer)
{
    struct announcer *announcer = *announcer_pointer;
    *announcer_pointer = NULL;
    if (announcer == NULL)
        return;
    bus_unsubscribe(&announcer->sync);
    strbuf_finish(&announcer->bytes);
    uv_close((uv_handle_t *)&announcer->alive, on_alive_closed);
}
