#include "dispatch.h"

#include "base/clock.h"

#define RATE_VIOLATIONS_MAX 1000

const struct op_row op_rows[OP_COUNT] = {
    [OP_connect] = {handle_connect, .needs_bus = true},
    [OP_subscribe] = {handle_subscribe, .needs_open = true, .needs_bus = true},
    [OP_unsubscribe] = {handle_unsubscribe, .needs_open = true},
    [OP_publish] = {handle_publish, .needs_open = true, .is_publish = true, .needs_bus = true},
    [OP_qos] = {handle_qos, .needs_open = true},
    [OP_refresh] = {handle_refresh, .needs_open = true},
    [OP_ack] = {handle_ack, .needs_open = true},
    [OP_presence] = {handle_presence, .needs_open = true, .needs_bus = true},
    [OP_ping] = {handle_ping, .needs_open = true},
};

static bool is_within_rate(struct session *session, const struct op_row *row, uint32_t id)
{
    uint64_t now_ms = clock_monotonic_ms();
    struct token_bucket *bucket = row->is_publish ? &session->publishes : &session->ops;
    if (token_bucket_take(bucket, 1, now_ms))
        return true;
    uint64_t wait_ms = token_bucket_wait_ms(bucket, 1, now_ms);
    if (++session->rate_violations > RATE_VIOLATIONS_MAX)
        session_close(session, CLOSE_rate_limited, wait_ms);
    else
        session_send_error(session, id, ERROR_rate_limited, "too many frames", wait_ms);
    return false;
}

static void refuse_malformed(struct session *session, const struct client_frame *frame, const char *error)
{
    bool is_garbage = strncmp(error, "frame:", 6) == 0;
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_FRAMES_IN, OP_COUNT, 0, 1);
    session_send_error(session, frame->id, ERROR_bad_request, error, 0);
    if (is_garbage && ++session->malformed_frames >= session->gateway->settings->max_malformed_frames)
        session_close(session, CLOSE_bad_request, 0);
}

static bool passes_gate(struct session *session, const struct op_row *row, uint32_t id)
{
    if (row->needs_open && !session_is_open(session)) {
        session_send_error(session, id, ERROR_unauthorized, "connect first", 0);
        session_close(session, CLOSE_unauthorized, 0);
        return false;
    }
    if (!is_within_rate(session, row, id))
        return false;
    if (row->needs_bus && !bus_is_connected(session->gateway->bus)) {
        session_send_error(session, id, ERROR_unavailable, "the message bus is away", GATEWAY_RETRY_AFTER_MS);
        return false;
    }
    return true;
}

void dispatch_frame(struct session *session, const char *text, size_t length)
{
    struct client_frame frame;
    char error[160];
    if (!client_frame_parse(text, length, &frame, error, sizeof(error))) {
        refuse_malformed(session, &frame, error);
        return;
    }
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_FRAMES_IN, frame.op, 0, 1);
    const struct op_row *row = &op_rows[frame.op];
    if (passes_gate(session, row, frame.id))
        row->handler(session, &frame);
    client_frame_finish(&frame);
}

void reply_begin(struct reply *reply, uint32_t id)
{
    reply->expiring = (struct expiring){0};
    strbuf_init(&reply->text, 256);
    json_writer_init(&reply->json, &reply->text);
    json_begin_object(&reply->json);
    json_kv_string(&reply->json, "op", "reply");
    if (id != 0)
        json_kv_uint(&reply->json, "id", id);
}

void reply_send(struct reply *reply, struct session *session)
{
    json_end_object(&reply->json);
    session_send_expiring(session, &reply->text, &reply->expiring);
    strbuf_finish(&reply->text);
}

void reply_empty(struct session *session, uint32_t id)
{
    if (id == 0)
        return;
    struct reply reply;
    reply_begin(&reply, id);
    reply_send(&reply, session);
}

void reply_bus_error(struct session *session, uint32_t id, enum bus_status status)
{
    bool is_ours = status == BUS_ERROR || status == BUS_CONFLICT;
    session_send_error(session, id, is_ours ? ERROR_internal : ERROR_unavailable,
                       is_ours ? "refused by the message bus" : "the message bus did not answer",
                       GATEWAY_RETRY_AFTER_MS);
}
