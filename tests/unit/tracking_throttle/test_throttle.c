#include <criterion/criterion.h>

#include "throttle_world.h"

#define DEGREES_PER_METRE (1 / 111195.0)
#define START_MS 1700000000000ll

static void on_emit(void *context, const struct throttle_item *item)
{
    struct throttle_world *world = context;
    cr_assert_lt(world->shown_count, SHOWN_MAX);
    world->shown[world->shown_count++] = *item;
}

static void on_verdict(void *context, enum fix_verdict verdict)
{
    ((struct throttle_world *)context)->verdicts[verdict]++;
}

void world_open(struct throttle_world *world)
{
    memset(world, 0, sizeof(*world));
    world->rules = (struct throttle_rules){.max_speed_kmh = 200,
                                           .max_updates_per_second = 2,
                                           .believe_after = 5,
                                           .max_future_ms = 60000,
                                           .slot_idle_ms = 900000,
                                           .max_slots = 10};
    world->now_ms = 1000;
    world->received_ms = START_MS;
    world->throttle = throttle_create(&world->rules, on_emit, on_verdict, world);
}

void world_close(struct throttle_world *world)
{
    throttle_destroy(&world->throttle);
}

void world_offer_as(struct throttle_world *world, const char *driver, const Hansom__Fix *fixes, size_t count)
{
    Hansom__LocationBatch batch = HANSOM__LOCATION_BATCH__INIT;
    Hansom__Fix *list[64];
    for (size_t i = 0; i < count; i++)
        list[i] = (Hansom__Fix *)&fixes[i];
    batch.booking_id = "b";
    batch.driver_id = (char *)driver;
    batch.received_at_ms = world->received_ms;
    batch.publisher_revision = world->revision;
    batch.fixes = list;
    batch.n_fixes = count;
    throttle_offer(world->throttle, &batch, world->now_ms);
}

void world_offer(struct throttle_world *world, double lat, double lng, int64_t timestamp_ms)
{
    Hansom__Fix fix = HANSOM__FIX__INIT;
    fix.lat = lat;
    fix.lng = lng;
    fix.timestamp_ms = timestamp_ms;
    world_offer_as(world, "d", &fix, 1);
}

void world_advance(struct throttle_world *world, uint64_t by_ms)
{
    uint64_t until_ms = world->now_ms + by_ms;
    for (uint64_t due_ms; (due_ms = throttle_next_due_ms(world->throttle)) <= until_ms;) {
        world->now_ms = due_ms > world->now_ms ? due_ms : world->now_ms;
        throttle_run_due(world->throttle, world->now_ms);
    }
    world->now_ms = until_ms;
    world->received_ms += (int64_t)by_ms;
}

static struct throttle_world world;

Test(throttle, shows_the_first_at_once_and_the_last_of_a_burst)
{
    world_open(&world);
    for (int i = 0; i < 10; i++) {
        world_offer(&world, 50 + 0.3 * i * DEGREES_PER_METRE, 8, START_MS + i * 10);
        world_advance(&world, 10);
    }
    cr_assert_eq(world.shown_count, 1, "the leading edge");
    world_advance(&world, 1000);
    cr_assert_eq(world.shown_count, 2, "the trailing edge");
    cr_assert_eq(world.shown[1].position.timestamp_ms, START_MS + 90, "the newest");
    cr_assert_eq(throttle_conflated(world.throttle), 8);
    world_close(&world);
}

Test(throttle, never_shows_more_than_y_per_second)
{
    world_open(&world);
    for (int i = 0; i < 300; i++) {
        world_offer(&world, 50 + i * DEGREES_PER_METRE, 8, START_MS + i * 33);
        world_advance(&world, 33);
    }
    cr_assert_leq(world.shown_count, 1 + 2 * 10);
    cr_assert_geq(world.shown_count, 2 * 9);
    world_close(&world);
}

Test(throttle, refuses_with_a_reason)
{
    world_open(&world);
    world_offer(&world, 50, 8, START_MS);
    world_offer(&world, 50, 8, START_MS);
    world_offer(&world, 50, 8, START_MS - 1);
    world_offer(&world, 91, 8, START_MS + 1);
    world_offer(&world, 50, 8, START_MS + 60001);
    world_offer(&world, 51, 8, START_MS + 1000);
    cr_assert_eq(world.verdicts[FIX_ACCEPTED], 1);
    cr_assert_eq(world.verdicts[FIX_DUPLICATE], 1);
    cr_assert_eq(world.verdicts[FIX_OUTDATED], 1);
    cr_assert_eq(world.verdicts[FIX_OUT_OF_RANGE], 1);
    cr_assert_eq(world.verdicts[FIX_FUTURE], 1);
    cr_assert_eq(world.verdicts[FIX_SPEED], 1);
    world_close(&world);
}

Test(throttle, believes_after_m_that_agree_and_breaks_the_track)
{
    world_open(&world);
    world_offer(&world, 50, 8, START_MS);
    for (int i = 1; i <= 5; i++) {
        world_advance(&world, 1000);
        world_offer(&world, 51 + i * 5 * DEGREES_PER_METRE, 8, START_MS + i * 1000);
    }
    cr_assert_eq(world.verdicts[FIX_SPEED], 5);
    cr_assert_eq(world.shown_count, 1);
    world_advance(&world, 1000);
    world_offer(&world, 51 + 30 * DEGREES_PER_METRE, 8, START_MS + 6000);
    cr_assert_eq(world.shown_count, 2);
    cr_assert_eq(world.shown[1].kind, THROTTLE_BREAK);
    cr_assert_eq(world.shown[1].last.timestamp_ms, START_MS, "the last one of the old track");
    cr_assert_eq(throttle_breaks(world.throttle), 1);
    world_close(&world);
}

Test(throttle, does_not_believe_what_does_not_agree)
{
    world_open(&world);
    world_offer(&world, 50, 8, START_MS);
    for (int i = 1; i <= 30; i++) {
        world_advance(&world, 1000);
        world_offer(&world, i % 2 ? 51 : 49, 8, START_MS + i * 1000);
    }
    cr_assert_eq(world.shown_count, 1);
    cr_assert_eq(world.verdicts[FIX_SPEED], 30);
    world_close(&world);
}

Test(throttle, a_gap_heals_by_itself)
{
    world_open(&world);
    world_offer(&world, 50, 8, START_MS);
    world_advance(&world, 600000);
    world_offer(&world, 50 + 20000 * DEGREES_PER_METRE, 8, START_MS + 600000); /* 20 km in 10 minutes: 120 km/h */
    cr_assert_eq(world.verdicts[FIX_ACCEPTED], 2);
    cr_assert_eq(world.shown[1].kind, THROTTLE_LOCATION);
    world_close(&world);
}

Test(throttle, a_replaced_device_is_not_heard_and_another_driver_is_another_track)
{
    world_open(&world);
    Hansom__Fix fix = HANSOM__FIX__INIT;
    fix.lat = 50;
    fix.timestamp_ms = START_MS;
    world.revision = 7;
    world_offer_as(&world, "d", &fix, 1);
    world.revision = 6;
    fix.timestamp_ms += 1000;
    world_offer_as(&world, "d", &fix, 1);
    cr_assert_eq(world.verdicts[FIX_SUPERSEDED], 1);
    world_advance(&world, 1000);
    fix.lat = 52;
    world_offer_as(&world, "other", &fix, 1);
    cr_assert_eq(world.shown_count, 2);
    cr_assert_eq(world.shown[1].kind, THROTTLE_BREAK);
    world_close(&world);
}

Test(throttle, goes_on_from_what_was_shown_before)
{
    world_open(&world);
    struct throttle_position last = {.lat = 50, .lng = 8, .timestamp_ms = START_MS - 1000};
    cr_assert_not(throttle_knows(world.throttle, "b"));
    throttle_seed(world.throttle, "b", "d", &last, world.now_ms);
    cr_assert(throttle_knows(world.throttle, "b"));
    world_offer(&world, 51, 8, START_MS);
    world_offer(&world, 50, 8, START_MS - 1000);
    cr_assert_eq(world.verdicts[FIX_SPEED], 1);
    cr_assert_eq(world.verdicts[FIX_DUPLICATE], 1);
    world_close(&world);
}

Test(throttle, forgets_idle_bookings_and_has_a_limit)
{
    world_open(&world);
    Hansom__LocationBatch batch = HANSOM__LOCATION_BATCH__INIT;
    Hansom__Fix fix = HANSOM__FIX__INIT, *list[] = {&fix};
    batch.driver_id = "d";
    batch.fixes = list;
    batch.n_fixes = 1;
    batch.received_at_ms = START_MS;
    fix.timestamp_ms = START_MS;
    for (int i = 0; i < 12; i++) {
        char id[8];
        snprintf(id, sizeof(id), "b%d", i);
        batch.booking_id = id;
        throttle_offer(world.throttle, &batch, world.now_ms);
    }
    cr_assert_eq(throttle_slot_count(world.throttle), 10);
    cr_assert_eq(world.verdicts[FIX_TOO_MANY], 2);
    world_advance(&world, 900001);
    cr_assert_eq(throttle_slot_count(world.throttle), 0);
    world_close(&world);
}
