#include <criterion/criterion.h>
#include <signal.h>

#include "base/ids.h"
#include "bus_world.h"
#include "lease/lease.h"

struct instance {
    struct bus *bus;
    struct lease_set *leases;
    unsigned gained, lost;
    bool is_settled;
};

static void on_change(void *context, uint32_t partition, bool is_held)
{
    struct instance *instance = context;
    cr_assert_lt(partition, PARTITION_COUNT);
    if (is_held)
        instance->gained++;
    else
        instance->lost++;
}

static void on_settled(void *context, bool is_settled)
{
    struct instance *instance = context;
    cr_assert_neq(instance->is_settled, is_settled, "changes only");
    instance->is_settled = is_settled;
}

static void on_state(void *context, enum bus_state state)
{
    lease_set_bus_state(((struct instance *)context)->leases, state);
}

static void start(struct bus_world *world, struct instance *instance, const char *name)
{
    *instance = (struct instance){.bus = world_bus(world, name)};
    instance->leases = lease_set_create(instance->bus, &world->loop, "svc", name, on_change, instance);
    lease_set_on_settled(instance->leases, on_settled);
    bus_on_state(instance->bus, on_state, instance);
}

static void stop(struct bus_world *world, struct instance *instance)
{
    lease_set_destroy(&instance->leases);
    bus_destroy(&instance->bus);
    world_turn(world, 20);
}

static bool holds_all(void *context)
{
    return lease_set_count(((struct instance *)context)->leases) == PARTITION_COUNT;
}

static bool is_unsettled(void *context)
{
    return !((const struct instance *)context)->is_settled;
}

struct pair {
    struct instance *a, *b;
};

static bool shares_evenly(void *context)
{
    struct pair *pair = context;
    return lease_set_count(pair->a->leases) == PARTITION_COUNT / 2 &&
           lease_set_count(pair->b->leases) == PARTITION_COUNT / 2;
}

static void assert_disjoint(struct pair *pair)
{
    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        cr_assert(lease_set_holds(pair->a->leases, i) != lease_set_holds(pair->b->leases, i), "partition %u", i);
}

Test(lease, two_share_and_one_takes_over)
{
    struct bus_world world;
    world_open(&world);
    struct instance a, b;
    start(&world, &a, "a");
    world_wait_flag(&world, &a.is_settled);
    cr_assert_eq(lease_set_count(a.leases), PARTITION_COUNT, "all was free");
    cr_assert_eq(a.gained, PARTITION_COUNT);

    start(&world, &b, "b");
    struct pair pair = {&a, &b};
    world_wait(&world, shares_evenly, &pair);
    assert_disjoint(&pair);

    lease_set_release_all(b.leases);
    cr_assert_eq(lease_set_count(b.leases), 0);
    world_wait(&world, holds_all, &a);
    stop(&world, &b);
    stop(&world, &a);
    world_close(&world);
}

Test(lease, survives_the_server_and_its_own_restart)
{
    struct bus_world world;
    world_open(&world);
    struct instance a;
    start(&world, &a, "a");
    world_wait(&world, holds_all, &a);
    world_wait_flag(&world, &a.is_settled);
    nats_fixture_kill(&world.server);
    world_wait(&world, is_unsettled, &a);
    world_turn(&world, 300);
    nats_fixture_restart(&world.server);
    world_wait_flag(&world, &a.is_settled);
    world_wait(&world, holds_all, &a);

    /* Silent for longer than a lease may go without being renewed. */
    kill(world.server.pid, SIGSTOP);
    world_wait(&world, is_unsettled, &a);
    kill(world.server.pid, SIGCONT);
    world_wait_flag(&world, &a.is_settled);
    cr_assert_eq(lease_set_count(a.leases), PARTITION_COUNT);

    /* A process that was killed comes back with the same name while its leases still run. */
    struct instance again;
    start(&world, &again, "a");
    world_wait(&world, holds_all, &again);
    stop(&world, &again);
    stop(&world, &a);
    world_close(&world);
}
