/* Walks, durable consumers and epochs. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "bus_world.h"

struct log {
    unsigned count, limit, done_count;
    enum bus_status status;
    uint64_t sequences[80], at_us[80];
    char texts[80][16];
    struct bus_pull *pull;
    bool should_keep; /* do not acknowledge */
    uint64_t delivered[80];
};

static void on_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    (void)ack;
    cr_expect_eq(status, BUS_OK);
    *(bool *)context = true;
}

static void store(struct bus_world *world, struct bus *bus, const char *subject, const char *text)
{
    bool is_done = false;
    bus_store(bus, subject, NULL, BUS_ANY_REVISION, text, strlen(text), 60000, on_stored, &is_done);
    world_wait_flag(world, &is_done);
}

static void note(struct log *log, const struct bus_message *message)
{
    log->sequences[log->count] = message->sequence;
    log->at_us[log->count] = clock_monotonic_us();
    snprintf(log->texts[log->count], sizeof(log->texts[0]), "%.*s", (int)message->length, (const char *)message->data);
    log->count++;
}

static bool on_walked(void *context, const struct bus_message *message)
{
    struct log *log = context;
    note(log, message);
    return log->limit == 0 || log->count < log->limit;
}

static void on_walk_done(void *context, enum bus_status status)
{
    struct log *log = context;
    log->done_count++;
    log->status = status;
}

static bool is_walked(void *context)
{
    const struct log *log = context;
    return log->done_count > 0 || (log->limit > 0 && log->count == log->limit);
}

Test(bus_streams, walk_reads_one_subject_in_order)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "walk");
    for (int i = 0; i < 5; i++) {
        char text[8];
        snprintf(text, sizeof(text), "m%d", i);
        store(&world, bus, "in.booking.A.chat", text);
        store(&world, bus, "in.booking.B.chat", "other");
    }
    struct log all = {0}, from = {0}, some = {.limit = 2}, none = {0};
    bus_walk_start(bus, "CHAT", "in.booking.A.chat", 1, on_walked, on_walk_done, &all);
    world_wait(&world, is_walked, &all);
    cr_assert_eq(all.count, 5);
    cr_assert_eq(all.status, BUS_OK);
    cr_assert_str_eq(all.texts[4], "m4");
    bus_walk_start(bus, "CHAT", "in.booking.A.chat", all.sequences[3], on_walked, on_walk_done, &from);
    world_wait(&world, is_walked, &from);
    cr_assert_eq(from.count, 2);
    cr_assert_eq(from.sequences[0], all.sequences[3]);
    bus_walk_start(bus, "CHAT", "in.booking.A.chat", 1, on_walked, on_walk_done, &some);
    world_wait(&world, is_walked, &some);
    world_turn(&world, 50);
    cr_assert_eq(some.count, 2);
    cr_assert_eq(some.done_count, 0, "whoever has enough is not told again");
    bus_walk_start(bus, "CHAT", "in.booking.C.chat", 1, on_walked, on_walk_done, &none);
    world_wait(&world, is_walked, &none);
    cr_assert_eq(none.count, 0);
    cr_assert_eq(none.status, BUS_OK);
    struct bus_walk *cancelled = bus_walk_start(bus, "CHAT", "in.booking.A.chat", 1, on_walked, on_walk_done, &none);
    bus_walk_cancel(&cancelled);
    world_turn(&world, 50);
    cr_assert_eq(none.count, 0);
    bus_destroy(&bus);
    world_close(&world);
}

static void on_pulled(void *context, const struct bus_pulled *pulled)
{
    struct log *log = context;
    log->delivered[log->count] = pulled->delivered;
    cr_expect_gt(pulled->message.stored_at_ms, 0);
    note(log, &pulled->message);
    if (!log->should_keep)
        bus_pull_ack(log->pull, pulled->message.reply);
    else
        bus_pull_retry(log->pull, pulled->message.reply, 10);
}

static bool has_ten(void *context)
{
    struct log *both = context;
    return both[0].count + both[1].count >= 10;
}

Test(bus_streams, instances_share_a_consumer)
{
    struct bus_world world;
    world_open(&world);
    struct bus *buses[2] = {world_bus(&world, "one"), world_bus(&world, "two")};
    struct log logs[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++)
        logs[i].pull = bus_pull_create(buses[i], "CHAT", "archive", 3, on_pulled, &logs[i]);
    for (int i = 0; i < 10; i++)
        store(&world, buses[0], "in.booking.A.chat", "x");
    world_wait(&world, has_ten, logs);
    world_turn(&world, 100);
    cr_assert_eq(logs[0].count + logs[1].count, 10, "each message once: %u and %u", logs[0].count, logs[1].count);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(bus_pull_outstanding(logs[i].pull), 0);
        bus_pull_destroy(&logs[i].pull);
        bus_destroy(&buses[i]);
    }
    world_close(&world);
}

static bool has_sixty(void *context)
{
    return ((struct log *)context)->count >= 60;
}

/* Many more than may be outstanding, and none has to wait for a request to run out (5 s each). */
Test(bus_streams, a_backlog_is_pulled_without_pauses)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "backlog");
    struct log log = {0};
    for (int i = 0; i < 60; i++)
        store(&world, bus, "in.booking.A.chat", "x");
    log.pull = bus_pull_create(bus, "CHAT", "archive", 4, on_pulled, &log);
    uint64_t begun_ms = clock_monotonic_ms();
    world_wait(&world, has_sixty, &log);
    cr_assert_lt(clock_monotonic_ms() - begun_ms, 40000, "fifteen pauses would be 75 s");
    world_turn(&world, 100);
    cr_assert_eq(log.count, 60);
    bus_pull_destroy(&log.pull);
    bus_destroy(&bus);
    world_close(&world);
}

#define PACE_MS 1000

static bool has_sixty_six(void *context)
{
    return ((struct log *)context)->count >= 66;
}

/* After a silence the first comes at once, and what follows together, a pace later. */
Test(bus_streams, with_a_pace_messages_come_in_groups)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "pace");
    struct log log = {0};
    log.pull = bus_pull_create(bus, "CHAT", "archive", 4, on_pulled, &log);
    bus_pull_set_pace(log.pull, PACE_MS);
    uint64_t begun_us = clock_monotonic_us();
    for (int i = 0; i < 60; i++)
        store(&world, bus, "in.booking.A.chat", "x");
    world_wait(&world, has_sixty, &log);
    cr_assert_lt(clock_monotonic_us() - begun_us, 10000000, "full requests follow each other without a pause");
    world_turn(&world, 3 * PACE_MS); /* it is silent, and waits for the next one */
    for (int i = 0; i < 6; i++)
        store(&world, bus, "in.booking.A.chat", "y");
    world_wait(&world, has_sixty_six, &log);
    cr_assert_geq(log.at_us[61] - log.at_us[60], (PACE_MS - 50) * 1000);
    cr_assert_eq(bus_pull_outstanding(log.pull), 0);
    bus_pull_destroy(&log.pull);
    bus_destroy(&bus);
    world_close(&world);
}

static bool came_twice(void *context)
{
    const struct log *log = context;
    return log->count >= 2;
}

Test(bus_streams, what_is_not_done_comes_again)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "retry");
    struct log log = {.should_keep = true};
    log.pull = bus_pull_create(bus, "CHAT", "archive", 3, on_pulled, &log);
    store(&world, bus, "in.booking.A.chat", "again");
    world_wait(&world, came_twice, &log);
    cr_assert_eq(log.sequences[0], log.sequences[1]);
    cr_assert_eq(log.delivered[0], 1);
    cr_assert_gt(log.delivered[1], 1);
    bus_pull_destroy(&log.pull);
    bus_destroy(&bus);
    world_close(&world);
}

Test(bus_streams, marks_are_gone_when_done_and_come_out_on_the_channel)
{
    struct bus_world world;
    world_open(&world);
    struct bus *bus = world_bus(&world, "marks");
    struct log log = {0}, left = {0};
    log.pull = bus_pull_create(bus, "CHAT_MARKS", "archive", 3, on_pulled, &log);
    store(&world, bus, "in.booking.A.mark", "read");
    store(&world, bus, "in.booking.A.mark", "read");
    world_wait(&world, came_twice, &log);
    do { /* the server takes its time with acknowledgements */
        left = (struct log){0};
        bus_walk_start(bus, "CHAT_MARKS", "in.booking.A.mark", 1, on_walked, on_walk_done, &left);
        world_wait(&world, is_walked, &left);
    } while (left.count > 0);
    bus_pull_destroy(&log.pull);
    bus_destroy(&bus);
    world_close(&world);
}

Test(bus_streams, epoch_is_the_same_for_all)
{
    struct bus_world world;
    world_open(&world);
    struct bus *one = world_bus(&world, "one"), *two = world_bus(&world, "two");
    cr_assert_gt(bus_stream_epoch(one, "CHAT"), 1700000000000ull);
    cr_assert_eq(bus_stream_epoch(one, "CHAT"), bus_stream_epoch(two, "CHAT"));
    cr_assert_eq(bus_stream_epoch(one, "NONE"), 0);
    bus_destroy(&one);
    bus_destroy(&two);
    world_close(&world);
}
