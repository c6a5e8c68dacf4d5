/* presence: who is there. Presence is asked for the booking's client and its driver, each in a partition of its own. */
#include "acl.h"
#include "dispatch.h"
#include "proto/subjects.h"

#define ASKED_MAX 2

struct presence_flow {
    struct flow flow;
    struct session *session;
    uint32_t id;
    struct channel_name channel;
    struct booking_entry *entry;
    struct booking_waiter waiter;
    struct bus_request *requests[ASKED_MAX];
    unsigned pending;
    Hansom__Members *answers[ASKED_MAX];
    enum bus_status worst;
};

static void flow_free(struct presence_flow *flow)
{
    list_remove(&flow->flow.node);
    booking_wait_cancel(&flow->waiter);
    booking_release(&flow->entry);
    for (unsigned i = 0; i < ASKED_MAX; i++) {
        bus_request_cancel(&flow->requests[i]);
        hansom__members__free_unpacked(flow->answers[i], NULL);
    }
    mem_free(flow);
}

static void flow_cancel(struct flow *flow)
{
    flow_free(CONTAINER_OF(flow, struct presence_flow, flow));
}

static void answer(struct presence_flow *flow)
{
    list_remove(&flow->flow.node); /* an answer may close the session; the flow is ours to free */
    if (flow->worst != BUS_OK) {
        reply_bus_error(flow->session, flow->id, flow->worst);
        flow_free(flow);
        return;
    }
    Hansom__Members__Member *found[ASKED_MAX];
    Hansom__Members all = HANSOM__MEMBERS__INIT;
    all.members = found;
    for (unsigned i = 0; i < ASKED_MAX; i++)
        if (flow->answers[i] != NULL && flow->answers[i]->n_members > 0)
            found[all.n_members++] = flow->answers[i]->members[0];
    struct reply reply;
    reply_begin(&reply, flow->id);
    json_kv_string(&reply.json, "channel", flow->channel.text);
    json_key(&reply.json, "members");
    members_write(&reply.json, &all);
    reply_send(&reply, flow->session);
    flow_free(flow);
}

static void on_member(struct presence_flow *flow, unsigned index, enum bus_status status,
                      const struct bus_message *reply)
{
    flow->requests[index] = NULL;
    if (status == BUS_OK)
        flow->answers[index] = hansom__members__unpack(NULL, reply->length, reply->data);
    else
        flow->worst = status == BUS_NOT_FOUND ? BUS_TIMEOUT : status; /* nobody holds the partition just now */
    if (--flow->pending == 0)
        answer(flow);
}

static void on_client(void *context, enum bus_status status, const struct bus_message *reply)
{
    on_member(context, 0, status, reply);
}

static void on_driver(void *context, enum bus_status status, const struct bus_message *reply)
{
    on_member(context, 1, status, reply);
}

static void ask(struct presence_flow *flow, unsigned index, const char *user_id, bus_reply_cb *callback)
{
    char subject[SUBJECT_SIZE];
    if (*user_id == '\0')
        return;
    snprintf(subject, sizeof(subject), SUBJECT_RPC_MEMBER, partition_of(user_id), user_id);
    flow->pending++;
    flow->requests[index] =
        bus_request(flow->session->gateway->bus, subject, "", 0, GATEWAY_REQUEST_TIMEOUT_MS, callback, flow);
}

static void on_booking(void *context, enum bus_status status, const Hansom__Booking *booking)
{
    struct presence_flow *flow = context;
    struct session *session = flow->session;
    bool is_certain = status == BUS_OK || status == BUS_NOT_FOUND;
    enum acl_verdict verdict = acl_may_subscribe(session->principal, &flow->channel, booking);
    if (is_certain && booking != NULL && verdict == ACL_ALLOWED) {
        ask(flow, 0, booking->client_id, on_client);
        ask(flow, 1, booking->driver_id, on_driver);
        return;
    }
    list_remove(&flow->flow.node);
    if (!is_certain)
        reply_bus_error(session, flow->id, status);
    else if (booking == NULL)
        session_send_error(session, flow->id, ERROR_not_found, "channel: there is no such booking", 0);
    else
        session_send_error(session, flow->id, ERROR_forbidden, "channel: not allowed", 0);
    flow_free(flow);
}

void handle_presence(struct session *session, const struct client_frame *frame)
{
    struct channel_name channel;
    ASSERT(channel_parse(frame->channel, strlen(frame->channel), &channel));
    if (channel.kind != CHANNEL_BOOKING_PRESENCE) {
        session_send_error(session, frame->id, ERROR_bad_request, "channel: must be booking.{id}.presence", 0);
        return;
    }
    if (!principal_may(session->principal, "subscribe", channel.text)) {
        session_send_error(session, frame->id, ERROR_forbidden, "channel: not in the token's scopes", 0);
        return;
    }
    struct presence_flow *flow = mem_alloc(sizeof(*flow));
    flow->flow.cancel = flow_cancel;
    flow->session = session;
    flow->id = frame->id;
    flow->channel = channel;
    list_append(&session->flows, &flow->flow.node);
    flow->entry = booking_acquire(session->gateway->bookings, channel.id);
    booking_when_known(flow->entry, &flow->waiter, on_booking, flow);
}
