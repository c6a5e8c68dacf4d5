/* Acknowledgements over a bus that answers when it is told to, or is away. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "event_acks.h"
#include "hub.h"

#define EPOCH 0x1a

/* --- what stands in --- */

struct bus_request {
    bus_ack_cb *on_ack;
    bus_reply_cb *on_reply;
    void *context;
};
static struct bus_request request; /* the one under way */
static struct {
    bool is_up, has_position, is_refused;
    uint64_t epoch, position, stored;
    unsigned asks, stores;
    uint32_t refused_id;
    char key[128];
} world;
static struct subscription subscription;

static struct bus_request *begin_request(bus_ack_cb *on_ack, bus_reply_cb *on_reply, void *context)
{
    cr_assert_null(request.context, "one at a time");
    request = (struct bus_request){on_ack, on_reply, context};
    return &request;
}
struct bus_request *bus_store(struct bus *bus, const char *subject, const char *message_id, uint64_t expected_revision,
                              const void *data, size_t length, uint32_t timeout_ms, bus_ack_cb *callback, void *context)
{
    (void)bus, (void)expected_revision, (void)timeout_ms;
    cr_assert_str_eq(subject, "in.user.u1.ack");
    Hansom__EventAck *ack = hansom__event_ack__unpack(NULL, length, data);
    cr_assert_not_null(ack);
    cr_assert_str_eq(ack->user_id, "u1");
    cr_assert_eq(ack->epoch, world.epoch);
    cr_assert_gt(ack->at_ms, 0);
    world.stored = ack->seq;
    world.stores++;
    str_copy(world.key, sizeof(world.key), message_id);
    hansom__event_ack__free_unpacked(ack, NULL);
    return begin_request(callback, NULL, context);
}
struct bus_request *bus_get_last(struct bus *bus, const char *stream, const char *subject, uint32_t timeout_ms,
                                 bus_reply_cb *callback, void *context)
{
    (void)bus, (void)timeout_ms;
    cr_assert_str_eq(stream, "EVENTS");
    cr_assert_str_eq(subject, "in.user.u1.events");
    world.asks++;
    return begin_request(NULL, callback, context);
}
void bus_request_cancel(struct bus_request **pointer)
{
    if (*pointer != NULL)
        request.context = NULL;
    *pointer = NULL;
}
bool bus_is_connected(const struct bus *bus)
{
    (void)bus;
    return world.is_up;
}
uint64_t bus_stream_epoch(const struct bus *bus, const char *stream)
{
    (void)bus, (void)stream;
    return world.epoch;
}
struct subscription *subscription_find(struct session *session, const char *channel)
{
    (void)session;
    cr_assert_str_eq(channel, "user.u1.events");
    return world.has_position ? &subscription : NULL;
}
uint64_t subscription_position(const struct subscription *of)
{
    (void)of;
    return world.position;
}
void session_send_error(struct session *session, uint32_t id, enum error_code code, const char *message,
                        uint64_t retry_after_ms)
{
    (void)session, (void)retry_after_ms;
    cr_assert_eq(code, ERROR_bad_request);
    cr_assert_eq(strncmp(message, "seq:", 4), 0);
    world.is_refused = true;
    world.refused_id = id;
}
void metrics_add(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, uint64_t amount)
{
    (void)metrics, (void)id, (void)label0, (void)label1, (void)amount;
}

/* --- */

static struct gateway gateway;
static struct session session;
static struct principal principal = {.user_id = "u1"};

static void begin(void)
{
    memset(&world, 0, sizeof(world));
    memset(&request, 0, sizeof(request));
    world.is_up = true;
    world.epoch = EPOCH;
    gateway = (struct gateway){0};
    gateway.wheel = timer_wheel_create(clock_monotonic_ms(), 20, 4096);
    gateway.event_acks = event_acks_create(&gateway);
    session = (struct session){.gateway = &gateway, .principal = &principal};
}

static void end(void)
{
    event_ack_leave(&session);
    event_acks_destroy(&gateway.event_acks);
    cr_assert_eq(timer_wheel_count(gateway.wheel), 0);
    cr_assert_null(request.context, "nothing is left under way");
    timer_wheel_destroy(&gateway.wheel);
}

static void answer_last(enum bus_status status, uint64_t sequence)
{
    struct bus_request asked = request;
    struct bus_message message = {.sequence = sequence};
    request.context = NULL;
    cr_assert_not_null(asked.on_reply);
    asked.on_reply(asked.context, status, status == BUS_OK ? &message : NULL);
}

static void answer_store(enum bus_status status)
{
    struct bus_request asked = request;
    struct bus_ack ack = {.sequence = 1};
    request.context = NULL;
    cr_assert_not_null(asked.on_ack);
    asked.on_ack(asked.context, status, status == BUS_OK ? &ack : NULL);
}

Test(event_acks, what_has_come_by_is_stored_without_asking, .init = begin, .fini = end)
{
    world.has_position = true;
    world.position = 9;
    event_ack_note(&session, 0, 9);
    cr_assert_eq(world.asks, 0);
    cr_assert_eq(world.stored, 9);
    cr_assert_str_eq(world.key, "u1.1a.9");
    answer_store(BUS_OK);
    event_ack_note(&session, 0, 9);
    event_ack_note(&session, 0, 4);
    cr_assert_eq(world.stores, 1, "said already");
}

Test(event_acks, what_has_not_is_asked_for_and_may_be_refused, .init = begin, .fini = end)
{
    event_ack_note(&session, 7, 10);
    cr_assert_eq(world.asks, 1);
    answer_last(BUS_OK, 9);
    cr_assert(world.is_refused);
    cr_assert_eq(world.refused_id, 7);
    cr_assert_eq(world.stores, 0);
    event_ack_note(&session, 8, 9);
    answer_last(BUS_OK, 9);
    cr_assert_eq(world.stored, 9);
    answer_store(BUS_OK);
    event_ack_note(&session, 9, 11);
    answer_last(BUS_NOT_FOUND, 0);
    cr_assert_eq(world.refused_id, 9);
}

Test(event_acks, those_that_come_meanwhile_are_one, .init = begin, .fini = end)
{
    world.has_position = true;
    world.position = 9;
    event_ack_note(&session, 0, 3);
    event_ack_note(&session, 0, 5);
    event_ack_note(&session, 0, 8);
    event_ack_note(&session, 0, 6);
    cr_assert_eq(world.stores, 1);
    answer_store(BUS_OK);
    cr_assert_eq(world.stores, 2);
    cr_assert_eq(world.stored, 8);
    answer_store(BUS_OK);
    cr_assert_null(request.context);
}

Test(event_acks, the_bus_may_be_away, .init = begin, .fini = end)
{
    world.is_up = false;
    event_ack_note(&session, 0, 3);
    event_ack_note(&session, 0, 5);
    cr_assert_eq(world.asks + world.stores, 0);
    world.is_up = true;
    event_acks_resume(gateway.event_acks);
    answer_last(BUS_OK, 9);
    cr_assert_eq(world.stored, 5);
    world.is_up = false;
    answer_store(BUS_DISCONNECTED);
    cr_assert_eq(timer_wheel_count(gateway.wheel), 0, "nothing is tried while it is away");
    world.is_up = true;
    event_acks_resume(gateway.event_acks);
    answer_last(BUS_OK, 9);
    cr_assert_eq(world.stores, 2);
    answer_store(BUS_OK);
    event_acks_resume(gateway.event_acks);
    cr_assert_eq(world.asks, 2, "once it is stored that is all");
}

Test(event_acks, the_session_may_end_before_it_is_stored, .init = begin, .fini = end)
{
    world.is_up = false;
    event_ack_note(&session, 0, 5);
    event_ack_leave(&session);
    cr_assert_null(session.event_ack);
    world.is_up = true;
    event_acks_resume(gateway.event_acks);
    answer_last(BUS_OK, 9);
    cr_assert_eq(world.stored, 5);
    answer_store(BUS_OK);
    event_acks_resume(gateway.event_acks);
    cr_assert_eq(world.asks, 1, "and is forgotten then");
}

Test(event_acks, a_store_that_fails_is_tried_again, .init = begin, .fini = end)
{
    world.has_position = true;
    world.position = 9;
    event_ack_note(&session, 0, 5);
    answer_store(BUS_TIMEOUT);
    cr_assert_eq(timer_wheel_count(gateway.wheel), 1);
    timer_wheel_advance(gateway.wheel, clock_monotonic_ms() + 1000);
    cr_assert_eq(world.stores, 2);
    cr_assert_eq(world.stored, 5);
    answer_store(BUS_OK);
}

Test(event_acks, a_number_of_another_epoch_means_nothing, .init = begin, .fini = end)
{
    world.is_up = false;
    event_ack_note(&session, 0, 5);
    world.is_up = true;
    world.epoch = EPOCH + 1;
    event_acks_resume(gateway.event_acks);
    cr_assert_eq(world.asks, 0);
    event_ack_note(&session, 0, 2);
    answer_last(BUS_OK, 2);
    cr_assert_eq(world.stored, 2);
    answer_store(BUS_OK);
}
