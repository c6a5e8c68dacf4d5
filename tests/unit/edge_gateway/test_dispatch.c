/* The table and the gate: what must not reach a handler does not. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "dispatch.h"

/* --- what stands in for the rest of the gateway --- */

static struct {
    enum client_op handled; /* OP_COUNT: none */
    uint32_t handled_id, error_id;
    enum error_code error;
    uint64_t retry_after_ms;
    int errors;
    bool is_closed;
    enum close_reason closed;
    char sent[512];
} seen;
static bool bus_is_up;

#define HANDLER(name)                                                                                                  \
    void handle_##name(struct session *session, const struct client_frame *frame)                                      \
    {                                                                                                                  \
        (void)session;                                                                                                 \
        seen.handled = OP_##name;                                                                                      \
        seen.handled_id = frame->id;                                                                                   \
    }
#define CLIENT_OP(name) HANDLER(name)
#include "wire/client_ops.def"
#undef CLIENT_OP

void session_send_error(struct session *session, uint32_t id, enum error_code code, const char *message,
                        uint64_t retry_after_ms)
{
    (void)session;
    cr_assert_gt(strlen(message), 0);
    seen.errors++;
    seen.error_id = id;
    seen.error = code;
    seen.retry_after_ms = retry_after_ms;
}

void session_close(struct session *session, enum close_reason reason, uint64_t retry_after_ms)
{
    (void)retry_after_ms;
    if (!seen.is_closed)
        seen.closed = reason;
    seen.is_closed = true;
    session->state = SESSION_CLOSING;
}

void session_send_expiring(struct session *session, const struct strbuf *json, struct expiring *parts)
{
    (void)session;
    cr_assert_eq(parts->count, 0);
    snprintf(seen.sent, sizeof(seen.sent), "%s", json->data);
}

bool bus_is_connected(const struct bus *bus)
{
    (void)bus;
    return bus_is_up;
}

void metrics_add(struct metrics *metrics, unsigned metric, unsigned label1, unsigned label2, uint64_t amount)
{
    (void)metrics, (void)metric, (void)label1, (void)label2, (void)amount;
}

/* --- */

static struct gateway_settings settings;
static struct gateway gateway;
static struct session session;

static void begin(void)
{
    uint64_t now_ms = clock_monotonic_ms();
    memset(&seen, 0, sizeof(seen));
    seen.handled = OP_COUNT;
    bus_is_up = true;
    settings = (struct gateway_settings){.max_malformed_frames = 2};
    gateway = (struct gateway){.settings = &settings};
    session = (struct session){.gateway = &gateway, .state = SESSION_OPEN};
    token_bucket_init(&session.ops, 1000, 1000, now_ms);
    token_bucket_init(&session.publishes, 1000, 1000, now_ms);
}

static void dispatch(const char *text)
{
    seen.handled = OP_COUNT;
    dispatch_frame(&session, text, strlen(text));
}

static const char *const samples[OP_COUNT] = {
    [OP_connect] = "{\"op\":\"connect\",\"id\":7,\"token\":\"t\"}",
    [OP_subscribe] = "{\"op\":\"subscribe\",\"id\":7,\"channel\":\"booking.b.tracking\"}",
    [OP_unsubscribe] = "{\"op\":\"unsubscribe\",\"id\":7,\"channel\":\"booking.b.tracking\"}",
    [OP_publish] = "{\"op\":\"publish\",\"id\":7,\"channel\":\"booking.b.tracking\",\"data\":{}}",
    [OP_qos] = "{\"op\":\"qos\",\"id\":7,\"channel\":\"booking.b.tracking\",\"max_rate\":1}",
    [OP_refresh] = "{\"op\":\"refresh\",\"id\":7,\"token\":\"t\"}",
    [OP_ack] = "{\"op\":\"ack\",\"id\":7,\"channel\":\"user.u.events\",\"seq\":1}",
    [OP_presence] = "{\"op\":\"presence\",\"id\":7,\"channel\":\"booking.b.presence\"}",
    [OP_ping] = "{\"op\":\"ping\",\"id\":7}",
};

Test(dispatch, every_op_has_a_row_and_reaches_its_own_handler, .init = begin)
{
    for (int op = 0; op < OP_COUNT; op++) {
        cr_assert_not_null(op_rows[op].handler, "%s", client_op_name((enum client_op)op));
        cr_assert_not_null(samples[op], "%s has no sample here", client_op_name((enum client_op)op));
        dispatch(samples[op]);
        cr_expect_eq(seen.handled, op, "%s", samples[op]);
        cr_expect_eq(seen.handled_id, 7);
    }
    cr_assert_eq(seen.errors, 0);
}

Test(dispatch, only_connect_goes_before_connect, .init = begin)
{
    for (int op = 0; op < OP_COUNT; op++) {
        begin();
        session.state = SESSION_AWAITING_CONNECT;
        dispatch(samples[op]);
        if (op == OP_connect) {
            cr_expect_eq(seen.handled, OP_connect);
            continue;
        }
        cr_expect_eq(seen.handled, OP_COUNT, "%s", samples[op]);
        cr_expect_eq(seen.error, ERROR_unauthorized, "%s", samples[op]);
        cr_expect_eq(seen.error_id, 7);
        cr_expect(seen.is_closed && seen.closed == CLOSE_unauthorized, "%s", samples[op]);
    }
}

Test(dispatch, what_needs_the_bus_is_unavailable_without_it, .init = begin)
{
    static const bool needs_bus[OP_COUNT] = {
        [OP_connect] = true, [OP_subscribe] = true, [OP_publish] = true, [OP_presence] = true};
    for (int op = 0; op < OP_COUNT; op++) {
        begin();
        bus_is_up = false;
        dispatch(samples[op]);
        cr_expect_eq(seen.handled, needs_bus[op] ? OP_COUNT : op, "%s", samples[op]);
        cr_expect_eq(seen.errors, needs_bus[op] ? 1 : 0, "%s", samples[op]);
        if (needs_bus[op])
            cr_expect(seen.error == ERROR_unavailable && seen.retry_after_ms > 0, "%s", samples[op]);
        cr_expect_not(seen.is_closed, "%s", samples[op]);
    }
}

Test(dispatch, garbage_is_answered_and_then_closed, .init = begin)
{
    dispatch("not json");
    cr_assert_eq(seen.error, ERROR_bad_request);
    cr_assert_not(seen.is_closed, "the setting allows one");
    dispatch("[1]");
    cr_assert_eq(seen.errors, 2);
    cr_assert(seen.is_closed);
    cr_assert_eq(seen.closed, CLOSE_bad_request);
}

Test(dispatch, a_wrong_field_or_op_leaves_the_connection, .init = begin)
{
    for (int i = 0; i < 10; i++)
        dispatch("{\"op\":\"dance\",\"id\":9}");
    dispatch("{\"op\":\"subscribe\",\"id\":9,\"channel\":\"nothing\"}");
    cr_assert_eq(seen.errors, 11);
    cr_assert_eq(seen.error, ERROR_bad_request);
    cr_assert_eq(seen.error_id, 9);
    cr_assert_eq(seen.handled, OP_COUNT);
    cr_assert_not(seen.is_closed);
}

Test(dispatch, publishes_and_other_ops_have_rates_of_their_own, .init = begin)
{
    token_bucket_init(&session.publishes, 0.001, 1, clock_monotonic_ms());
    dispatch(samples[OP_publish]);
    cr_assert_eq(seen.handled, OP_publish);
    dispatch(samples[OP_publish]);
    cr_assert_eq(seen.handled, OP_COUNT);
    cr_assert_eq(seen.error, ERROR_rate_limited);
    cr_assert_gt(seen.retry_after_ms, 0);
    dispatch(samples[OP_ping]);
    cr_assert_eq(seen.handled, OP_ping);
}

Test(dispatch, who_never_slows_down_is_closed, .init = begin)
{
    token_bucket_init(&session.publishes, 0.001, 1, clock_monotonic_ms());
    for (int i = 0; i < 2000 && !seen.is_closed; i++)
        dispatch(samples[OP_publish]);
    cr_assert(seen.is_closed);
    cr_assert_eq(seen.closed, CLOSE_rate_limited);
}

Test(dispatch, an_empty_reply_needs_an_id, .init = begin)
{
    reply_empty(&session, 0);
    cr_assert_str_empty(seen.sent);
    reply_empty(&session, 5);
    cr_assert_str_eq(seen.sent, "{\"op\":\"reply\",\"id\":5}");
}
