#include "acl.h"
#include "base/clock.h"
#include "proto/subjects.h"
#include "publish.h"

/* --- to the bus --------------------------------------------------------------------------------------------------- */

static void publish_packed(struct session *session, uint32_t id, enum channel_kind kind, const char *subject,
                           const ProtobufCMessage *message)
{
    struct strbuf bytes;
    strbuf_init(&bytes, 512);
    message_pack(&bytes, message);
    bool is_sent = bus_publish(session->gateway->bus, subject, bytes.data, bytes.length);
    strbuf_finish(&bytes);
    if (!is_sent) {
        reply_bus_error(session, id, BUS_DISCONNECTED);
        return;
    }
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_PUBLISHES, kind, 0, 1);
    reply_empty(session, id);
}

static void publish_batch(struct session *session, uint32_t id, Hansom__LocationBatch *batch)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_TRACKING, partition_of(batch->booking_id), batch->booking_id);
    publish_packed(session, id, CHANNEL_TRACKING, subject, &batch->base);
}

void publish_refuse(struct session *session, uint32_t id, enum acl_verdict verdict)
{
    if (verdict == ACL_NOT_FOUND)
        session_send_error(session, id, ERROR_not_found, "channel: there is no such booking", 0);
    else
        session_send_error(session, id, ERROR_forbidden,
                           verdict == ACL_ENDED ? "channel: not in this phase of the booking" : "channel: not allowed",
                           0);
}

/* --- positions: need the booking ---------------------------------------------------------------------------------- */

/* A publish that waits for its booking to be read. */
struct publish_flow {
    struct flow flow;
    struct session *session;
    uint32_t id;
    struct booking_entry *entry;
    struct booking_waiter waiter;
    Hansom__LocationBatch batch;
    char booking_id[ID_SIZE];
};

static void flow_free(struct publish_flow *flow)
{
    list_remove(&flow->flow.node);
    booking_wait_cancel(&flow->waiter);
    booking_release(&flow->entry);
    location_batch_finish(&flow->batch);
    mem_free(flow);
}

static void flow_cancel(struct flow *flow)
{
    flow_free(CONTAINER_OF(flow, struct publish_flow, flow));
}

static void on_booking(void *context, enum bus_status status, const Hansom__Booking *booking)
{
    struct publish_flow *flow = context;
    struct session *session = flow->session;
    list_remove(&flow->flow.node); /* an answer may close the session; the flow is ours to free */
    struct channel_name channel = {.kind = CHANNEL_TRACKING};
    enum acl_verdict verdict = acl_may_publish(session->principal, &channel, booking);
    if (status != BUS_OK && status != BUS_NOT_FOUND)
        reply_bus_error(session, flow->id, status);
    else if (verdict != ACL_ALLOWED)
        publish_refuse(session, flow->id, verdict);
    else
        publish_batch(session, flow->id, &flow->batch);
    flow_free(flow);
}

/* The session's own reference to the booking, the most recent one first. */
static struct booking_entry *publishing_entry(struct session *session, const char *booking_id)
{
    struct booking_entry **held = session->publishing;
    size_t at = 0;
    while (at < SESSION_PUBLISH_BOOKINGS - 1 && held[at] != NULL && !str_equal(held[at]->id, booking_id))
        at++;
    struct booking_entry *entry = held[at];
    if (entry != NULL && !str_equal(entry->id, booking_id))
        booking_release(&entry);
    memmove(held + 1, held, at * sizeof(*held));
    held[0] = entry != NULL ? entry : booking_acquire(session->gateway->bookings, booking_id);
    return held[0];
}

static void publish_location(struct session *session, const struct client_frame *frame,
                             const struct channel_name *channel)
{
    if (session->principal->role != HANSOM__ROLE__ROLE_DRIVER) {
        publish_refuse(session, frame->id, ACL_FORBIDDEN);
        return;
    }
    struct publish_flow *flow = mem_alloc(sizeof(*flow));
    char error[160];
    if (!location_decode(frame->data, channel->id, session->principal->user_id, &flow->batch, error, sizeof(error))) {
        mem_free(flow);
        session_send_error(session, frame->id, ERROR_bad_request, error, 0);
        return;
    }
    flow->flow.cancel = flow_cancel;
    flow->session = session;
    flow->id = frame->id;
    str_copy(flow->booking_id, sizeof(flow->booking_id), channel->id);
    flow->batch.booking_id = flow->booking_id;
    flow->batch.driver_id = session->principal->user_id;
    flow->batch.received_at_ms = clock_wall_ms();
    flow->batch.publisher_revision = session->publisher_revision;
    list_append(&session->flows, &flow->flow.node);
    flow->entry = publishing_entry(session, channel->id);
    flow->entry->references++; /* the flow's own */
    booking_when_known(flow->entry, &flow->waiter, on_booking, flow);
}

/* --- heartbeats --------------------------------------------------------------------------------------------------- */

static void publish_heartbeat(struct session *session, const struct client_frame *frame,
                              const struct channel_name *channel)
{
    enum acl_verdict verdict = acl_may_publish(session->principal, channel, NULL);
    Hansom__Heartbeat beat;
    char error[160];
    if (verdict != ACL_ALLOWED) {
        publish_refuse(session, frame->id, verdict);
        return;
    }
    if (!heartbeat_decode(frame->data, session->principal->user_id, &beat, error, sizeof(error))) {
        session_send_error(session, frame->id, ERROR_bad_request, error, 0);
        return;
    }
    beat.received_at_ms = clock_wall_ms();
    beat.publisher_revision = session->publisher_revision;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_HEARTBEAT, partition_of(beat.driver_id), beat.driver_id);
    publish_packed(session, frame->id, CHANNEL_HEARTBEAT, subject, &beat.base);
}

void handle_publish(struct session *session, const struct client_frame *frame)
{
    struct channel_name channel;
    ASSERT(channel_parse(frame->channel, strlen(frame->channel), &channel));
    if (!principal_may(session->principal, "publish", channel.text))
        session_send_error(session, frame->id, ERROR_forbidden, "channel: not in the token's scopes", 0);
    else if (channel.kind == CHANNEL_TRACKING)
        publish_location(session, frame, &channel);
    else if (channel.kind == CHANNEL_HEARTBEAT)
        publish_heartbeat(session, frame, &channel);
    else if (channel.kind == CHANNEL_CHAT)
        publish_chat(session, frame, &channel);
    else
        publish_refuse(session, frame->id, ACL_FORBIDDEN);
}
