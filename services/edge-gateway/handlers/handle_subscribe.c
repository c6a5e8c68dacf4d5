/*
 * subscribe: scope, booking, rule, audit for staff (and a word in the chat that they are there), then live first and
 * what is retained second, so that nothing falls between them.
 */
#include "acl.h"
#include "base/clock.h"
#include "chat_store_item.h"
#include "dispatch.h"
#include "proto/subjects.h"
#include "replay.h"

struct subscribe_flow {
    struct flow flow;
    struct subscription *subscription;
    uint32_t id;
    struct bus_request *request;
    struct booking_waiter waiter;
    struct replay *replay;
    struct replay_since since;
    char *reason;
};

static void flow_free(struct subscribe_flow *flow)
{
    list_remove(&flow->flow.node);
    booking_wait_cancel(&flow->waiter);
    bus_request_cancel(&flow->request);
    replay_cancel(&flow->replay);
    mem_free(flow->reason);
    mem_free(flow);
}

static void flow_cancel(struct flow *flow)
{
    struct subscribe_flow *self = CONTAINER_OF(flow, struct subscribe_flow, flow);
    self->subscription->flow = NULL;
    flow_free(self);
}

static void refuse(struct subscribe_flow *flow, enum error_code code, const char *message)
{
    struct session *session = flow->subscription->session;
    uint32_t id = flow->id;
    subscription_end(flow->subscription); /* frees the flow */
    session_send_error(session, id, code, message, 0);
}

static void refuse_bus(struct subscribe_flow *flow, enum bus_status status)
{
    struct session *session = flow->subscription->session;
    uint32_t id = flow->id;
    subscription_end(flow->subscription);
    reply_bus_error(session, id, status);
}

/* --- live, then what is retained ---------------------------------------------------------------------------------- */

/* Ends the flow with the reply; what came live meanwhile follows it. */
static void finish(struct subscribe_flow *flow, struct reply *reply, uint64_t position)
{
    struct subscription *subscription = flow->subscription;
    struct session *session = subscription->session;
    subscription->flow = NULL;
    flow_free(flow);
    reply_send(reply, session);
    if (session->state < SESSION_CLOSING)
        subscription_replied(subscription, position);
}

static void finish_retained(struct subscribe_flow *flow, const struct bus_message *retained)
{
    struct subscription *subscription = flow->subscription;
    struct reply reply;
    reply_begin(&reply, flow->id);
    json_kv_string(&reply.json, "channel", subscription->name.text);
    json_kv_bool(&reply.json, "recovered", false);
    json_key(&reply.json, "messages");
    json_begin_array(&reply.json);
    if (retained != NULL && !subscription_has_news(subscription))
        channel_write_retained(&reply.json, &subscription->name, retained);
    json_end_array(&reply.json);
    finish(flow, &reply, 0);
}

static void write_marks(struct json_writer *json, const Hansom__ChatOpenReply *archive, uint64_t epoch)
{
    json_key(json, "marks");
    json_begin_array(json);
    for (size_t i = 0; i < archive->n_marks; i++) {
        const Hansom__ChatMark *mark = archive->marks[i];
        if (mark->epoch != epoch)
            continue;
        json_begin_object(json);
        json_kv_string(json, "user_id", mark->user_id);
        json_kv_uint(json, "delivered", mark->delivered_seq);
        json_kv_uint(json, "read", mark->read_seq);
        json_end_object(json);
    }
    json_end_array(json);
}

static void on_replayed(void *context, enum bus_status status, const struct replay_result *result)
{
    struct subscribe_flow *flow = context;
    if (status != BUS_OK) {
        refuse_bus(flow, status);
        return;
    }
    char epoch[EPOCH_TEXT_SIZE];
    epoch_format(result->epoch, epoch);
    struct reply reply;
    reply_begin(&reply, flow->id);
    json_kv_string(&reply.json, "channel", flow->subscription->name.text);
    json_kv_string(&reply.json, "epoch", epoch);
    json_kv_uint(&reply.json, "seq", result->position);
    json_kv_bool(&reply.json, "recovered", result->is_recovered);
    if (result->has_unread)
        json_kv_uint(&reply.json, "unread", result->unread);
    if (result->archive != NULL)
        write_marks(&reply.json, result->archive, result->epoch);
    json_key(&reply.json, "messages");
    json_begin_array(&reply.json);
    replay_write_messages(flow->replay, &reply.json, &reply.expiring);
    json_end_array(&reply.json);
    finish(flow, &reply, result->position);
}

static void on_retained(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct subscribe_flow *flow = context;
    flow->request = NULL;
    if (status == BUS_OK || status == BUS_NOT_FOUND)
        finish_retained(flow, reply);
    else
        refuse_bus(flow, status);
}

static void go_live(struct subscribe_flow *flow)
{
    struct subscription *subscription = flow->subscription;
    const char *stream = channel_retained_stream(subscription->name.kind);
    subscription_attach(subscription);
    if (channel_history_stream(subscription->name.kind) != NULL)
        flow->replay = replay_start(subscription, &flow->since, on_replayed, flow);
    else if (stream == NULL)
        finish_retained(flow, NULL);
    else
        flow->request = bus_get_last(subscription->session->gateway->bus, stream, subscription->name.text,
                                     GATEWAY_REQUEST_TIMEOUT_MS, on_retained, flow);
}

/* --- staff: no access without a record ---------------------------------------------------------------------------- */

static void on_announced(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct subscribe_flow *flow = context;
    (void)ack;
    flow->request = NULL;
    if (status == BUS_OK)
        go_live(flow);
    else
        refuse_bus(flow, status);
}

/* Nobody reads a chat without those in it being told. */
static void announce(struct subscribe_flow *flow)
{
    const struct subscription *subscription = flow->subscription;
    const struct session *session = subscription->session;
    flow->request = chat_announce_support(session->gateway->bus, subscription->booking->booking, session->principal,
                                          on_announced, flow);
}

static void on_audited(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct subscribe_flow *flow = context;
    (void)ack;
    flow->request = NULL;
    if (status != BUS_OK)
        refuse_bus(flow, status);
    else if (flow->subscription->name.kind == CHANNEL_CHAT)
        announce(flow);
    else
        go_live(flow);
}

static void audit(struct subscribe_flow *flow)
{
    struct session *session = flow->subscription->session;
    Hansom__AuditRecord record = HANSOM__AUDIT_RECORD__INIT;
    record.actor_id = session->principal->user_id;
    record.actor_role = (Hansom__Role)session->principal->role;
    record.action = "subscribe";
    record.channel = flow->subscription->name.text;
    record.reason = flow->reason;
    record.session_id = session->id;
    record.at_ms = clock_wall_ms();
    struct strbuf bytes;
    strbuf_init(&bytes, 512);
    MESSAGE_PACK(&bytes, &record);
    flow->request = bus_store(session->gateway->bus, SUBJECT_AUDIT_ACCESS, NULL, BUS_ANY_REVISION, bytes.data,
                              bytes.length, GATEWAY_REQUEST_TIMEOUT_MS, on_audited, flow);
    strbuf_finish(&bytes);
}

/* --- the rule ----------------------------------------------------------------------------------------------------- */

static void decide(struct subscribe_flow *flow, const Hansom__Booking *booking)
{
    const struct principal *principal = flow->subscription->session->principal;
    switch (acl_may_subscribe(principal, &flow->subscription->name, booking)) {
    case ACL_ALLOWED:
        if (acl_is_staff(principal))
            audit(flow);
        else
            go_live(flow);
        break;
    case ACL_NOT_FOUND:
        refuse(flow, ERROR_not_found, "channel: there is no such booking");
        break;
    case ACL_ENDED:
        refuse(flow, ERROR_forbidden, "channel: the booking has ended");
        break;
    case ACL_FORBIDDEN:
        refuse(flow, ERROR_forbidden, "channel: not allowed");
        break;
    }
}

static void on_booking(void *context, enum bus_status status, const Hansom__Booking *booking)
{
    struct subscribe_flow *flow = context;
    if (status == BUS_OK || status == BUS_NOT_FOUND)
        decide(flow, booking);
    else
        refuse_bus(flow, status);
}

static void await_booking(struct subscribe_flow *flow, const char *booking_id)
{
    struct subscription *subscription = flow->subscription;
    subscription->booking = booking_acquire(subscription->session->gateway->bookings, booking_id);
    booking_when_known(subscription->booking, &flow->waiter, on_booking, flow);
}

/* Presence knows a driver's bookings; the rule then decides whether one of them is this client's. */
static void on_driver_bookings(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct subscribe_flow *flow = context;
    flow->request = NULL;
    if (status != BUS_OK) {
        refuse_bus(flow, status);
        return;
    }
    Hansom__DriverBookings *bookings = hansom__driver_bookings__unpack(NULL, reply->length, reply->data);
    char booking_id[ID_SIZE] = "";
    if (bookings != NULL && bookings->n_booking_ids > 0 && is_id(bookings->booking_ids[0]))
        str_copy(booking_id, sizeof(booking_id), bookings->booking_ids[0]);
    hansom__driver_bookings__free_unpacked(bookings, NULL);
    if (*booking_id == '\0')
        decide(flow, NULL);
    else
        await_booking(flow, booking_id);
}

static void find_driver_booking(struct subscribe_flow *flow)
{
    struct subscription *subscription = flow->subscription;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_RPC_DRIVER_BOOKINGS, partition_of(subscription->name.id),
             subscription->name.id);
    flow->request = bus_request(subscription->session->gateway->bus, subject, "", 0, GATEWAY_REQUEST_TIMEOUT_MS,
                                on_driver_bookings, flow);
}

static void find_rule(struct subscribe_flow *flow)
{
    struct subscription *subscription = flow->subscription;
    bool is_staff = acl_is_staff(subscription->session->principal);
    if (!acl_needs_booking(subscription->name.kind) || (is_staff && subscription->name.kind == CHANNEL_DRIVER_PRESENCE))
        decide(flow, NULL);
    else if (subscription->name.kind == CHANNEL_DRIVER_PRESENCE)
        find_driver_booking(flow);
    else
        await_booking(flow, subscription->name.id);
}

/* --- the door ----------------------------------------------------------------------------------------------------- */

/* NULL: nothing speaks against it. */
static const char *objection(const struct session *session, const struct client_frame *frame,
                             const struct channel_name *channel, enum error_code *code_r)
{
    *code_r = ERROR_forbidden;
    if (!principal_may(session->principal, "subscribe", channel->text))
        return "channel: not in the token's scopes";
    *code_r = ERROR_bad_request;
    if (acl_is_staff(session->principal) && frame->reason == NULL)
        return "reason: support and admin must say why";
    *code_r = ERROR_rate_limited;
    if (session->subscription_count >= session->gateway->settings->max_subscriptions)
        return "channel: too many subscriptions on this connection";
    return NULL;
}

void handle_subscribe(struct session *session, const struct client_frame *frame)
{
    struct channel_name channel;
    ASSERT(channel_parse(frame->channel, strlen(frame->channel), &channel));
    /* Again for the same channel: the new one takes the old one's place. */
    struct subscription *former = subscription_find(session, channel.text);
    enum error_code code;
    if (former != NULL)
        subscription_end(former);
    const char *message = objection(session, frame, &channel, &code);
    if (message != NULL) {
        session_send_error(session, frame->id, code, message, 0);
        return;
    }
    struct subscription *subscription = subscription_create(session, &channel);
    subscription_set_rate(subscription, frame->has_max_rate, frame->max_rate);
    struct subscribe_flow *flow = mem_alloc(sizeof(*flow));
    flow->flow.cancel = flow_cancel;
    flow->subscription = subscription;
    flow->id = frame->id;
    flow->since = (struct replay_since){frame->has_since, epoch_parse(frame->since_epoch), frame->since_seq};
    flow->reason = frame->reason == NULL ? NULL : mem_strdup(frame->reason);
    subscription->flow = &flow->flow;
    list_append(&session->flows, &flow->flow.node);
    find_rule(flow);
}
