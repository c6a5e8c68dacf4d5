#include "session.h"

#include "announcer.h"
#include "base/clock.h"
#include "chat_typing.h"
#include "dispatch.h"
#include "event_acks.h"
#include "hub.h"
#include "log/log.h"

#define EXPIRY_WARNING_MS 60000
#define SEND_VECTORS_MAX 64
#define RATE_BURST_S 2.0

static const char *const state_names[] = {
#define SESSION_STATE(name) #name,
#include "session_states.def"
#undef SESSION_STATE
};

static void arm_liveness(struct session *session, uint64_t silent_ms);

/* --- life --------------------------------------------------------------------------------------------------------- */

void session_set_state(struct session *session, enum session_state state)
{
    ASSERT(state > session->state);
    if (session->state == SESSION_OPEN)
        metrics_gauge_add(session->gateway->metrics, METRIC_GATEWAY_CONNECTIONS, session->platform, 0, -1);
    session->state = state;
    if (state == SESSION_OPEN)
        metrics_gauge_add(session->gateway->metrics, METRIC_GATEWAY_CONNECTIONS, session->platform, 0, 1);
    LOG_DEBUG("session_state", LOG_STR("session", session->id), LOG_STR("state", state_names[state]));
}

static void on_connect_deadline(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct session *session = context;
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_CONNECTS, session->platform, CONNECT_TIMED_OUT, 1);
    session_close(session, CLOSE_connect_timeout, 0);
}

struct session *session_create(struct gateway *gateway, const struct transport_ops *transport, void *connection,
                               const char *handshake_token)
{
    struct session *session = mem_alloc(sizeof(*session));
    uint64_t now_ms = clock_monotonic_ms();
    session->gateway = gateway;
    session->transport = transport;
    session->connection = connection;
    session->handshake_token = handshake_token == NULL ? NULL : mem_strdup(handshake_token);
    session->platform = platform_label(NULL);
    session->opened_ms = now_ms;
    uuid_generate(session->id);
    list_init(&session->slots);
    list_init(&session->subscriptions);
    list_init(&session->flows);
    list_init(&session->chat_line);
    list_append(&gateway->sessions, &session->in_gateway);
    gateway->session_count++;
    const struct gateway_settings *settings = gateway->settings;
    token_bucket_init(&session->ops, settings->max_ops_per_second, settings->max_ops_per_second * RATE_BURST_S, now_ms);
    token_bucket_init(&session->publishes, settings->max_publishes_per_second,
                      settings->max_publishes_per_second * RATE_BURST_S, now_ms);
    timer_wheel_start(gateway->wheel, &session->deadline, now_ms + (uint64_t)settings->connect_timeout_ms,
                      on_connect_deadline, session);
    arm_liveness(session, 0);
    return session;
}

static void join_user(struct session *session)
{
    struct gateway *gateway = session->gateway;
    struct user_sessions *user = hashmap_get(gateway->users, session->principal->user_id);
    if (user == NULL) {
        user = mem_alloc(sizeof(*user));
        str_copy(user->user_id, sizeof(user->user_id), session->principal->user_id);
        list_init(&user->sessions);
        hashmap_set(gateway->users, user->user_id, user);
    }
    list_append(&user->sessions, &session->in_user);
    session->user = user;
}

static void leave_user(struct session *session)
{
    struct user_sessions *user = session->user;
    session->user = NULL;
    if (user == NULL)
        return;
    list_remove(&session->in_user);
    if (!list_is_empty(&user->sessions))
        return;
    hashmap_remove(session->gateway->users, user->user_id);
    mem_free(user);
}

void session_authenticated(struct session *session, struct principal *principal)
{
    session->principal = principal;
    session_set_state(session, SESSION_CONNECTING);
    join_user(session);
}

static void receive_early(struct session *session)
{
    struct strbuf early = session->early;
    session->early = (struct strbuf){0};
    if (early.data == NULL)
        return;
    session_receive(session, early.data, early.length);
    strbuf_finish(&early);
}

void session_open(struct session *session)
{
    session_set_state(session, SESSION_OPEN);
    session_arm_expiry(session);
    announcer_opened(session->gateway->announcer, session);
    LOG_INFO("session_open", LOG_STR("session", session->id), LOG_STR("user", session->principal->user_id),
             LOG_STR("role", role_text((Hansom__Role)session->principal->role)));
    receive_early(session);
}

/* Ends what the session has going; from here on it gets and does nothing more. */
static void let_go(struct session *session)
{
    chat_typing_end(session);
    event_ack_leave(session);
    while (!list_is_empty(&session->flows)) {
        struct flow *flow = CONTAINER_OF(session->flows.next, struct flow, node);
        list_remove(&flow->node);
        flow->cancel(flow);
    }
    while (!list_is_empty(&session->subscriptions))
        subscription_end(CONTAINER_OF(session->subscriptions.next, struct subscription, in_session));
    for (size_t i = 0; i < SESSION_PUBLISH_BOOKINGS; i++)
        booking_release(&session->publishing[i]);
    leave_user(session);
}

void session_closed(struct session *session, int peer_code)
{
    struct gateway *gateway = session->gateway;
    bool was_open = session->state == SESSION_OPEN;
    if (session->state < SESSION_CLOSING) {
        bool is_orderly = peer_code == 1000 || peer_code == 1001;
        session->close_reason = peer_code == 1000 ? CLOSE_normal : CLOSE_going_away;
        if (was_open)
            announcer_closed(gateway->announcer, session,
                             is_orderly ? HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_LEFT
                                        : HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_LOST);
        metrics_add(gateway->metrics, METRIC_GATEWAY_CLOSES, session->close_reason, 0, 1);
        LOG_INFO("session_closed", LOG_STR("session", session->id), LOG_STR("by", "peer"), LOG_INT("code", peer_code),
                 LOG_INT("lasted_ms", clock_monotonic_ms() - session->opened_ms));
    }
    session_set_state(session, SESSION_CLOSED);
    let_go(session);
    timer_wheel_stop(gateway->wheel, &session->liveness);
    timer_wheel_stop(gateway->wheel, &session->deadline);
    list_remove(&session->in_dirty);
    list_remove(&session->in_gateway);
    gateway->session_count--;
    outbox_finish(&session->outbox);
    principal_unref(&session->principal);
    mem_free(session->handshake_token);
    mem_free(session->early.data);
    mem_free(session);
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

static void on_close_deadline(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct session *session = context;
    session->transport->kill(session->connection);
}

static void send_disconnect(struct session *session, enum close_reason reason, uint64_t retry_after_ms)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 128);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "op", "disconnect");
    json_kv_int(&json, "code", close_reason_code(reason));
    json_kv_string(&json, "reason", close_reason_name(reason));
    json_kv_bool(&json, "reconnect", close_reason_reconnects(reason));
    if (retry_after_ms > 0)
        json_kv_uint(&json, "retry_after_ms", retry_after_ms);
    json_end_object(&json);
    struct frame *frame = frame_create(text.data, text.length);
    if (!outbox_push(&session->outbox, frame, SIZE_MAX))
        LOG_ERROR("disconnect_not_queued", LOG_STR("session", session->id));
    frame_unref(&frame);
    strbuf_finish(&text);
}

static Hansom__ConnectionEvent event_of(enum close_reason reason)
{
    if (reason == CLOSE_superseded)
        return HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_SUPERSEDED;
    if (reason == CLOSE_draining)
        return HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_DRAINED;
    return HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_LOST;
}

void session_close(struct session *session, enum close_reason reason, uint64_t retry_after_ms)
{
    struct gateway *gateway = session->gateway;
    if (session->state >= SESSION_CLOSING)
        return;
    if (session->state == SESSION_OPEN)
        announcer_closed(gateway->announcer, session, event_of(reason));
    session->close_reason = reason;
    session_set_state(session, SESSION_CLOSING);
    let_go(session);
    metrics_add(gateway->metrics, METRIC_GATEWAY_CLOSES, reason, 0, 1);
    LOG_INFO("session_closed", LOG_STR("session", session->id), LOG_STR("by", "server"),
             LOG_STR("reason", close_reason_name(reason)), LOG_INT("code", close_reason_code(reason)),
             LOG_INT("lasted_ms", clock_monotonic_ms() - session->opened_ms));
    send_disconnect(session, reason, retry_after_ms);
    session_flush(session);
    timer_wheel_stop(gateway->wheel, &session->liveness);
    timer_wheel_start(gateway->wheel, &session->deadline,
                      clock_monotonic_ms() + (uint64_t)gateway->settings->close_timeout_ms, on_close_deadline, session);
    session->transport->close(session->connection, close_reason_code(reason), close_reason_name(reason));
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void on_liveness(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct session *session = context;
    uint64_t silent_ms = session->transport->silent_ms(session->connection);
    if (silent_ms >= (uint64_t)session->gateway->settings->idle_timeout_ms) {
        session_close(session, CLOSE_no_pong, 0);
        return;
    }
    if (silent_ms >= (uint64_t)session->gateway->settings->ping_interval_ms)
        session->transport->ping(session->connection);
    arm_liveness(session, silent_ms);
}

/* A timer that looks, instead of one restart per received byte. */
static void arm_liveness(struct session *session, uint64_t silent_ms)
{
    uint64_t ping_ms = (uint64_t)session->gateway->settings->ping_interval_ms;
    uint64_t idle_ms = (uint64_t)session->gateway->settings->idle_timeout_ms;
    uint64_t wait_ms = silent_ms < ping_ms ? ping_ms - silent_ms : ping_ms;
    if (wait_ms > idle_ms - silent_ms)
        wait_ms = idle_ms - silent_ms;
    timer_wheel_start(session->gateway->wheel, &session->liveness, clock_monotonic_ms() + wait_ms, on_liveness,
                      session);
}

static void on_expiry(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct session *session = context;
    int64_t left_ms = session->principal->expires_at_ms - clock_wall_ms();
    if (left_ms <= 0) {
        session_close(session, CLOSE_unauthorized, 0);
        return;
    }
    if (!session->is_expiry_announced && left_ms <= EXPIRY_WARNING_MS) {
        session->is_expiry_announced = true;
        struct strbuf text;
        strbuf_init(&text, 64);
        strbuf_appendf(&text, "{\"op\":\"token_expiring\",\"expires_in_ms\":%lld}", (long long)left_ms);
        session_send(session, &text);
        strbuf_finish(&text);
    }
    /* Closed as too slow: the timer is the close's deadline now. */
    if (session->state < SESSION_CLOSING)
        session_arm_expiry(session);
}

void session_arm_expiry(struct session *session)
{
    int64_t left_ms = session->principal->expires_at_ms - clock_wall_ms();
    int64_t wait_ms = session->is_expiry_announced ? left_ms : left_ms - EXPIRY_WARNING_MS;
    timer_wheel_start(session->gateway->wheel, &session->deadline,
                      clock_monotonic_ms() + (uint64_t)(wait_ms > 0 ? wait_ms : 0), on_expiry, session);
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

/* A client need not wait for the answer to connect; what it sends meanwhile keeps its order. */
static void keep_for_later(struct session *session, const char *text, size_t length)
{
    if (session->early.data == NULL)
        strbuf_init(&session->early, length + 1);
    if (session->early.length + length + 1 > (size_t)session->gateway->settings->max_frame_bytes) {
        session_close(session, CLOSE_too_big, 0);
        return;
    }
    strbuf_append(&session->early, text, length);
    strbuf_append_char(&session->early, '\n');
}

void session_receive(struct session *session, const char *text, size_t length)
{
    const char *end = text + length;
    while (text < end && session->state < SESSION_CLOSING) {
        if (session->state == SESSION_CONNECTING) {
            keep_for_later(session, text, (size_t)(end - text));
            return;
        }
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t piece = (size_t)((newline != NULL ? newline : end) - text);
        if (piece > 0)
            dispatch_frame(session, text, piece);
        text += piece + 1;
    }
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

void session_mark_dirty(struct session *session)
{
    if (!list_is_linked(&session->in_dirty))
        list_append(&session->gateway->dirty, &session->in_dirty);
}

void session_send_frame(struct session *session, struct frame *frame)
{
    if (session->state >= SESSION_CLOSING)
        return;
    if (outbox_push(&session->outbox, frame, (size_t)session->gateway->settings->outbox_max_bytes))
        session_mark_dirty(session);
    else
        session_close(session, CLOSE_slow_consumer, 0);
}

void session_send(struct session *session, const struct strbuf *text)
{
    struct expiring nothing = {0};
    session_send_expiring(session, text, &nothing);
}

void session_send_expiring(struct session *session, const struct strbuf *text, struct expiring *parts)
{
    struct frame *frame = frame_create_expiring(text->data, text->length, parts);
    session_send_frame(session, frame);
    frame_unref(&frame);
}

void session_send_error(struct session *session, uint32_t id, enum error_code code, const char *message,
                        uint64_t retry_after_ms)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 160);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "op", "error");
    if (id != 0)
        json_kv_uint(&json, "id", id);
    json_kv_string(&json, "code", error_code_name(code));
    json_kv_string(&json, "message", message);
    if (retry_after_ms > 0)
        json_kv_uint(&json, "retry_after_ms", retry_after_ms);
    json_end_object(&json);
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_ERRORS, code, 0, 1);
    session_send(session, &text);
    strbuf_finish(&text);
}

/* Returns whether all of it went out. */
static bool flush_outbox(struct session *session)
{
    struct metrics *metrics = session->gateway->metrics;
    while (session->outbox.count > 0) {
        struct iovec vectors[SEND_VECTORS_MAX];
        if (session->outbox.expires_at_ms != 0)
            outbox_expire(&session->outbox, clock_wall_ms());
        int count = outbox_peek(&session->outbox, vectors, SEND_VECTORS_MAX);
        ssize_t sent = session->transport->send(session->connection, vectors, count);
        if (sent <= 0)
            return false;
        metrics_add(metrics, METRIC_GATEWAY_SENDS, 0, 0, 1);
        metrics_add(metrics, METRIC_GATEWAY_BYTES_OUT, 0, 0, (uint64_t)sent);
        ASSERT(outbox_consume(&session->outbox, (size_t)sent) == 0);
    }
    return true;
}

void session_flush(struct session *session)
{
    list_remove(&session->in_dirty);
    /* Positions join the queue only when it is empty, so that a newer one can still replace them. */
    if (session->outbox.count == 0 || flush_outbox(session)) {
        subscriptions_take_slots(session);
        flush_outbox(session);
    }
}

void session_writable(struct session *session)
{
    session_flush(session);
}
