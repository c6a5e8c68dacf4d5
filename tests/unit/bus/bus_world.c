#include "bus_world.h"

#include <criterion/criterion.h>

#include "base/clock.h"

#define PATIENCE_MS 60000 /* it takes that long only when it never comes, or the machine has much else to do */

void world_open(struct bus_world *world)
{
    if (!nats_fixture_start(&world->server))
        cr_skip("nats-server is not installed");
    uv_loop_init(&world->loop);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

void world_wait(struct bus_world *world, bool (*condition)(void *), void *context)
{
    uv_timer_t tick;
    uv_timer_init(&world->loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (!condition(context) && clock_monotonic_ms() < end_ms)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    cr_assert(condition(context), "waited in vain");
}

static bool flag_is_set(void *context)
{
    return *(const bool *)context;
}

void world_wait_flag(struct bus_world *world, const bool *flag)
{
    world_wait(world, flag_is_set, (void *)flag);
}

static bool is_past(void *context)
{
    return clock_monotonic_ms() >= *(uint64_t *)context;
}

void world_turn(struct bus_world *world, unsigned for_ms)
{
    uint64_t end_ms = clock_monotonic_ms() + for_ms;
    world_wait(world, is_past, &end_ms);
}

static bool bus_is_up(void *context)
{
    return bus_is_connected(context);
}

struct bus *world_bus(struct bus_world *world, const char *name)
{
    char *error = NULL;
    struct bus *bus =
        bus_create(&world->loop, &(struct bus_config){.url = world->server.url, .name = name, .replicas = 1}, &error);
    cr_assert_not_null(bus, "%s", error);
    world_wait(world, bus_is_up, bus);
    return bus;
}

void world_close(struct bus_world *world)
{
    for (int i = 0; i < 10; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    cr_assert_eq(uv_loop_close(&world->loop), 0, "a handle is still open");
    nats_fixture_stop(&world->server);
}
