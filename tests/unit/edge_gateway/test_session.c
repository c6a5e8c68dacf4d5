/* A session's life over a transport and a hub that only note what they are told. */
#include <criterion/criterion.h>

#include "announcer.h"
#include "chat_typing.h"
#include "base/clock.h"
#include "dispatch.h"
#include "event_acks.h"
#include "hub.h"

static struct {
    char sent[4096];
    int closes, close_code, kills, pings, handled, opened, said_closed;
    uint64_t silent_ms;
    bool is_stuck;
} seen;
static struct gateway_settings settings;
static struct gateway gateway;

/* --- what stands in --- */

static ssize_t take(void *connection, const struct iovec *vectors, int count)
{
    (void)connection;
    ssize_t total = 0;
    if (seen.is_stuck)
        return 0;
    for (int i = 0; i < count; i++) {
        const char *frame = vectors[i].iov_base;
        size_t header = (unsigned char)frame[1] < 126 ? 2 : 4, used = strlen(seen.sent);
        snprintf(seen.sent + used, sizeof(seen.sent) - used, "%.*s\n", (int)(vectors[i].iov_len - header),
                 frame + header);
        total += (ssize_t)vectors[i].iov_len;
    }
    return total;
}
static void want_writable(void *connection)
{
    (void)connection;
}
static uint64_t silent_ms(void *connection)
{
    (void)connection;
    return seen.silent_ms;
}
static void ping(void *connection)
{
    (void)connection;
    seen.pings++;
}
static void close_it(void *connection, int code, const char *reason)
{
    (void)connection, (void)reason;
    seen.closes++;
    seen.close_code = code;
}
static void kill_it(void *connection)
{
    (void)connection;
    seen.kills++;
}
static const struct transport_ops transport = {take, want_writable, silent_ms, ping, close_it, kill_it};

void dispatch_frame(struct session *session, const char *text, size_t length)
{
    struct strbuf echo;
    seen.handled++;
    strbuf_init(&echo, length);
    strbuf_append(&echo, text, length);
    session_send(session, &echo);
    strbuf_finish(&echo);
}
void subscription_end(struct subscription *subscription)
{
    (void)subscription;
}
void subscriptions_take_slots(struct session *session)
{
    (void)session;
}
void chat_typing_end(struct session *session)
{
    (void)session;
}
void event_ack_leave(struct session *session)
{
    (void)session;
}

void announcer_opened(struct announcer *announcer, const struct session *session)
{
    (void)announcer, (void)session;
    seen.opened++;
}
void announcer_closed(struct announcer *announcer, const struct session *session, Hansom__ConnectionEvent event)
{
    (void)announcer, (void)session, (void)event;
    seen.said_closed++;
}
void booking_release(struct booking_entry **entry)
{
    *entry = NULL;
}
unsigned platform_label(const char *platform)
{
    (void)platform;
    return 0;
}
void metrics_add(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, uint64_t amount)
{
    (void)metrics, (void)id, (void)label0, (void)label1, (void)amount;
}
void metrics_gauge_add(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, int64_t delta)
{
    (void)metrics, (void)id, (void)label0, (void)label1, (void)delta;
}

/* --- */

static void begin(void)
{
    memset(&seen, 0, sizeof(seen));
    settings = (struct gateway_settings){.connect_timeout_ms = 5000,
                                         .ping_interval_ms = 25000,
                                         .idle_timeout_ms = 60000,
                                         .close_timeout_ms = 3000,
                                         .max_frame_bytes = 1024,
                                         .outbox_max_bytes = 4096,
                                         .max_ops_per_second = 100,
                                         .max_publishes_per_second = 50};
    gateway = (struct gateway){.settings = &settings};
    gateway.wheel = timer_wheel_create(clock_monotonic_ms(), 20, 4096);
    gateway.users = hashmap_create();
    list_init(&gateway.sessions);
    list_init(&gateway.dirty);
}

static struct session *create(void)
{
    return session_create(&gateway, &transport, NULL, NULL);
}

static void authenticate(struct session *session, int64_t lasts_ms)
{
    struct principal *principal = mem_alloc(sizeof(*principal));
    principal->references = 1;
    principal->user_id = mem_strdup("u1");
    principal->role = HANSOM__ROLE__ROLE_CLIENT;
    principal->expires_at_ms = clock_wall_ms() + lasts_ms;
    session_authenticated(session, principal);
}

static struct session *create_open(int64_t lasts_ms)
{
    struct session *session = create();
    authenticate(session, lasts_ms);
    session_open(session);
    return session;
}

static void receive(struct session *session, const char *text)
{
    session_receive(session, text, strlen(text));
}

static void fill(struct session *session, size_t length)
{
    struct strbuf text;
    strbuf_init(&text, length);
    memset(strbuf_reserve(&text, length), 'x', length);
    strbuf_grown(&text, length);
    session_send(session, &text);
    strbuf_finish(&text);
}

static void advance(uint64_t by_ms)
{
    timer_wheel_advance(gateway.wheel, clock_monotonic_ms() + by_ms);
}

static void end(struct session *session)
{
    session_closed(session, 0);
    cr_assert_eq(gateway.session_count, 0);
    cr_assert_eq(hashmap_count(gateway.users), 0, "nothing of the user is left");
    cr_assert_eq(timer_wheel_count(gateway.wheel), 0, "no timer is left");
    cr_assert(list_is_empty(&gateway.dirty));
    timer_wheel_destroy(&gateway.wheel);
    hashmap_destroy(&gateway.users);
}

Test(session, frames_of_one_message_are_handled_in_order, .init = begin)
{
    struct session *session = create_open(3600000);
    receive(session, "a\n\nb\n");
    session_flush(session);
    cr_assert_str_eq(seen.sent, "a\nb\n");
    end(session);
    cr_assert_eq(seen.said_closed, 1);
}

Test(session, what_comes_while_connecting_waits_and_keeps_its_order, .init = begin)
{
    struct session *session = create();
    authenticate(session, 3600000);
    receive(session, "a\nb");
    receive(session, "c");
    cr_assert_eq(seen.handled, 0);
    session_open(session);
    session_flush(session);
    cr_assert_str_eq(seen.sent, "a\nb\nc\n");
    end(session);
}

Test(session, what_comes_while_connecting_is_bounded, .init = begin)
{
    struct session *session = create();
    authenticate(session, 3600000);
    char text[600];
    memset(text, 'x', sizeof(text));
    session_receive(session, text, sizeof(text));
    cr_assert_eq(seen.closes, 0);
    session_receive(session, text, sizeof(text));
    cr_assert_eq(seen.close_code, 1009);
    cr_assert_eq(seen.handled, 0);
    end(session);
    cr_assert_eq(seen.said_closed, 0, "it was never announced");
}

Test(session, a_session_that_connects_is_among_its_users, .init = begin)
{
    struct session *session = create();
    cr_assert_null(hashmap_get(gateway.users, "u1"));
    authenticate(session, 3600000);
    cr_assert_not_null(hashmap_get(gateway.users, "u1"));
    session_close(session, CLOSE_forbidden, 0);
    cr_assert_null(hashmap_get(gateway.users, "u1"));
    end(session);
}

Test(session, disconnect_is_said_before_the_close_and_once, .init = begin)
{
    struct session *session = create_open(3600000);
    session_close(session, CLOSE_draining, 2300);
    cr_assert_str_eq(seen.sent, "{\"op\":\"disconnect\",\"code\":4503,\"reason\":\"draining\",\"reconnect\":true,"
                                "\"retry_after_ms\":2300}\n");
    session_close(session, CLOSE_internal, 0);
    cr_assert_eq(seen.closes, 1);
    cr_assert_eq(seen.close_code, 4503);
    fill(session, 10);
    cr_assert_eq(session->outbox.count, 0, "a closing session is sent nothing more");
    end(session);
    cr_assert_eq(seen.said_closed, 1);
}

Test(session, without_connect_it_is_closed_in_time, .init = begin)
{
    uint64_t begun_ms = clock_monotonic_ms();
    struct session *session = create();
    timer_wheel_advance(gateway.wheel, begun_ms + 4900);
    cr_assert_eq(seen.closes, 0);
    advance(5100);
    cr_assert_eq(seen.close_code, 4408);
    end(session);
}

Test(session, a_reader_that_takes_nothing_is_closed_then_cut, .init = begin)
{
    struct session *session = create_open(3600000);
    seen.is_stuck = true;
    fill(session, 3000);
    cr_assert_eq(seen.closes, 0);
    fill(session, 3000);
    cr_assert_eq(seen.close_code, 4508);
    advance(3100);
    cr_assert_eq(seen.kills, 1);
    end(session);
}

/* The warning itself may be what the outbox cannot take: the close's deadline must stand. */
Test(session, too_slow_for_the_expiry_warning_is_cut_too, .init = begin)
{
    struct session *session = create_open(90000);
    seen.is_stuck = true;
    fill(session, 4090);
    session->principal->expires_at_ms = clock_wall_ms() + 50000;
    session_arm_expiry(session);
    advance(100);
    cr_assert_eq(seen.close_code, 4508);
    advance(3200);
    cr_assert_eq(seen.kills, 1);
    end(session);
}

Test(session, the_token_is_announced_to_expire_and_expires, .init = begin)
{
    struct session *session = create_open(50000);
    advance(100);
    session_flush(session);
    cr_assert_not_null(strstr(seen.sent, "{\"op\":\"token_expiring\",\"expires_in_ms\":"));
    cr_assert_eq(seen.closes, 0);
    session->principal->expires_at_ms = clock_wall_ms();
    session_arm_expiry(session);
    advance(200);
    cr_assert_eq(seen.close_code, 4401);
    end(session);
}

Test(session, silence_is_asked_about_and_then_ends_it, .init = begin)
{
    struct session *session = create_open(3600000);
    seen.silent_ms = 25100;
    advance(25100);
    cr_assert_gt(seen.pings, 0); /* the wheel runs ahead of the clock here, so it may look more than once */
    cr_assert_eq(seen.closes, 0);
    seen.silent_ms = 60000;
    advance(60100);
    cr_assert_eq(seen.close_code, 4512);
    end(session);
}

static void send_event(struct session *session, int64_t expires_at_ms)
{
    Hansom__UserEvent event = HANSOM__USER_EVENT__INIT;
    struct expiring parts = {0};
    struct strbuf text;
    struct json_writer json;
    event.event_id = "e1";
    event.type = "assignment_offer";
    event.data_json = "{\"place\":\"station\"}";
    event.created_at_ms = clock_wall_ms();
    event.expires_at_ms = expires_at_ms;
    strbuf_init(&text, 256);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_key(&json, "data");
    expiring_write_event(&parts, &json, &event, event.created_at_ms);
    json_end_object(&json);
    session_send_expiring(session, &text, &parts);
    strbuf_finish(&text);
}

Test(session, what_expired_while_the_reader_took_nothing_is_not_sent, .init = begin)
{
    struct session *session = create_open(3600000);
    int64_t expires_at_ms = clock_wall_ms() + 30;
    seen.is_stuck = true;
    send_event(session, expires_at_ms);
    send_event(session, expires_at_ms + 3600000);
    session_flush(session);
    while (clock_wall_ms() < expires_at_ms)
        continue;
    seen.is_stuck = false;
    session_writable(session);
    const char *second = strchr(seen.sent, '\n') + 1;
    cr_assert(strncmp(seen.sent, "{\"data\":{\"type\":\"expired\"", 24) == 0, "%s", seen.sent);
    cr_assert_not_null(strstr(second, "station"), "the other one still holds: %s", seen.sent);
    cr_assert_eq(strstr(seen.sent, "station"), strstr(second, "station"), "%s", seen.sent);
    end(session);
}
