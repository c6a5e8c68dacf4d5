#include <criterion/criterion.h>

#include "bus_world.h"

struct seen {
    bool is_done;
    enum bus_status status;
    struct bus_ack ack;
    uint64_t sequence, last_sequence;
    unsigned count;
    char text[64];
};

static void note_reply(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct seen *seen = context;
    seen->is_done = true;
    seen->status = status;
    if (reply != NULL) {
        seen->sequence = reply->sequence;
        snprintf(seen->text, sizeof(seen->text), "%s=%.*s", reply->subject, (int)reply->length,
                 (const char *)reply->data);
    }
}

static void note_ack(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct seen *seen = context;
    seen->is_done = true;
    seen->status = status;
    if (ack != NULL)
        seen->ack = *ack;
}

static void note_message(void *context, const struct bus_message *message)
{
    struct seen *seen = context;
    seen->is_done = true;
    seen->count++;
    seen->sequence = message->sequence;
    seen->last_sequence = message->last_sequence;
    snprintf(seen->text, sizeof(seen->text), "%s=%.*s", message->subject, (int)message->length,
             (const char *)message->data);
}

static void note_done(void *context, enum bus_status status)
{
    struct seen *seen = context;
    seen->is_done = true;
    seen->status = status;
}

static struct seen store(struct bus_world *world, struct bus *bus, const char *subject, const char *id,
                         uint64_t revision, const char *text)
{
    struct seen seen = {0};
    bus_store(bus, subject, id, revision, text, strlen(text), 60000, note_ack, &seen);
    cr_assert_not(seen.is_done, "never before it returns");
    world_wait_flag(world, &seen.is_done);
    return seen;
}

static bool has_two(void *context)
{
    return ((const struct seen *)context)->count >= 2;
}

Test(bus, stores_republishes_and_gets)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "test");
    struct seen live = {0};
    struct bus_subscription *subscription = bus_subscribe(bus, "user.u1.events", NULL, note_message, &live);

    struct seen first = store(&world, bus, "in.user.u1.events", "e1", BUS_ANY_REVISION, "one");
    cr_assert_eq(first.status, BUS_OK);
    cr_assert_not(first.ack.is_duplicate);
    struct seen again = store(&world, bus, "in.user.u1.events", "e1", BUS_ANY_REVISION, "one");
    cr_assert(again.ack.is_duplicate);
    cr_assert_eq(again.ack.sequence, first.ack.sequence);
    struct seen second = store(&world, bus, "in.user.u1.events", "e2", BUS_ANY_REVISION, "two");
    world_wait(&world, has_two, &live);
    world_turn(&world, 50);
    cr_assert_eq(live.count, 2, "a duplicate is not republished");
    cr_assert_eq(live.sequence, second.ack.sequence);
    cr_assert_eq(live.last_sequence, first.ack.sequence, "the predecessor on the subject");
    cr_assert_str_eq(live.text, "user.u1.events=two");

    struct seen last = {0}, next = {0}, none = {0};
    bus_get_last(bus, "EVENTS", "in.user.u1.events", 60000, note_reply, &last);
    bus_get_next(bus, "EVENTS", "in.user.u1.events", 1, 60000, note_reply, &next);
    bus_get_last(bus, "EVENTS", "in.user.nobody.events", 60000, note_reply, &none);
    world_wait_flag(&world, &none.is_done);
    cr_assert_str_eq(last.text, "in.user.u1.events=two");
    cr_assert_eq(last.sequence, second.ack.sequence);
    cr_assert_str_eq(next.text, "in.user.u1.events=one");
    cr_assert_eq(none.status, BUS_NOT_FOUND);
    bus_unsubscribe(&subscription);
    bus_destroy(&bus);
    world_close(&world);
}

Test(bus, keys_compare_and_set_and_load)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "test");
    struct seen made = store(&world, bus, "$KV.bookings.b1", NULL, 0, "v1");
    cr_assert_eq(made.status, BUS_OK);
    cr_assert_eq(store(&world, bus, "$KV.bookings.b1", NULL, 0, "v2").status, BUS_CONFLICT);
    cr_assert_eq(store(&world, bus, "$KV.bookings.b1", NULL, made.ack.sequence, "v2").status, BUS_OK);
    cr_assert_eq(store(&world, bus, "$KV.bookings.b2", NULL, 0, "w1").status, BUS_OK);
    struct seen deleted = {0}, gone = {0};
    bus_kv_delete(bus, "bookings", "b2", 60000, note_ack, &deleted);
    world_wait_flag(&world, &deleted.is_done);
    bus_kv_get(bus, "bookings", "b2", 60000, note_reply, &gone);
    world_wait_flag(&world, &gone.is_done);
    cr_assert_eq(gone.status, BUS_NOT_FOUND);

    struct seen items = {0};
    bus_load_last(bus, "KV_bookings", "$KV.bookings.>", note_message, note_done, &items);
    world_wait_flag(&world, &items.is_done);
    world_turn(&world, 50);
    cr_assert_eq(items.status, BUS_OK);
    cr_assert_eq(items.count, 1, "the deleted key is left out");
    cr_assert_str_eq(items.text, "$KV.bookings.b1=v2");

    struct seen empty = {0};
    bus_load_last(bus, "KV_sessions", "$KV.sessions.>", note_message, note_done, &empty);
    world_wait_flag(&world, &empty.is_done);
    cr_assert_eq(empty.status, BUS_OK);
    cr_assert_eq(empty.count, 0);
    bus_destroy(&bus);
    world_close(&world);
}

Test(bus, requests_end_once_in_every_way)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "test");
    struct seen nobody = {0}, silent = {0}, answered = {0};
    struct bus_subscription *deaf = bus_subscribe(bus, "deaf", NULL, note_message, &answered);
    bus_request(bus, "nobody.there", "x", 1, 60000, note_reply, &nobody);
    bus_request(bus, "deaf", "x", 1, 100, note_reply, &silent);
    struct bus_request *cancelled = bus_request(bus, "deaf", "x", 1, 100, note_reply, NULL);
    bus_request_cancel(&cancelled);
    world_wait_flag(&world, &silent.is_done);
    world_wait_flag(&world, &nobody.is_done);
    cr_assert_eq(nobody.status, BUS_NOT_FOUND);
    cr_assert_eq(silent.status, BUS_TIMEOUT);
    bus_unsubscribe(&deaf);
    bus_destroy(&bus);
    world_close(&world);
}

struct states {
    unsigned connected, lost;
    bool is_lost, is_back;
};

static void note_state(void *context, enum bus_state state)
{
    struct states *states = context;
    if (state == BUS_LOST) {
        states->lost++;
        states->is_lost = true;
    } else if (++states->connected > 1) {
        states->is_back = true;
    }
}

Test(bus, survives_a_killed_server)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "test");
    struct states states = {0};
    bus_on_state(bus, note_state, &states);
    cr_assert_eq(states.connected, 1, "told at once when it is connected");
    struct seen live = {0}, cut = {0}, refused = {0};
    struct bus_subscription *subscription = bus_subscribe(bus, "news", NULL, note_message, &live);
    struct bus_subscription *deaf = bus_subscribe(bus, "deaf", NULL, note_message, &(struct seen){0});
    bus_request(bus, "deaf", "x", 1, 60000, note_reply, &cut);
    world_turn(&world, 50);
    struct seen kept = store(&world, bus, "in.user.u1.events", "e1", BUS_ANY_REVISION, "one");

    nats_fixture_kill(&world.server);
    world_wait_flag(&world, &states.is_lost);
    world_wait_flag(&world, &cut.is_done);
    cr_assert_eq(cut.status, BUS_DISCONNECTED);
    cr_assert_not(bus_publish(bus, "news", "x", 1));
    bus_request(bus, "deaf", "x", 1, 60000, note_reply, &refused);
    world_wait_flag(&world, &refused.is_done);
    cr_assert_eq(refused.status, BUS_DISCONNECTED);

    nats_fixture_restart(&world.server);
    world_wait_flag(&world, &states.is_back);
    cr_assert(bus_publish(bus, "news", "x", 1));
    world_wait_flag(&world, &live.is_done);
    struct seen last = {0};
    bus_get_last(bus, "EVENTS", "in.user.u1.events", 60000, note_reply, &last);
    world_wait_flag(&world, &last.is_done);
    cr_assert_eq(last.sequence, kept.ack.sequence, "what was acknowledged is still there");
    bus_unsubscribe(&subscription);
    bus_unsubscribe(&deaf);
    bus_destroy(&bus);
    world_close(&world);
}

Test(bus, tells_tokens_of_subjects)
{
    char token[8];
    cr_assert(bus_subject_token("booking.X.tracking", 1, token, sizeof(token)));
    cr_assert_str_eq(token, "X");
    cr_assert(bus_subject_token("booking.X.tracking", 0, token, sizeof(token)));
    cr_assert_str_eq(token, "booking");
    cr_assert_not(bus_subject_token("booking.X.tracking", 2, token, sizeof(token)), "too long");
    cr_assert_not(bus_subject_token("booking.X", 2, token, sizeof(token)), "absent");
}
