#ifndef HANSOM_BUS_WORLD_H
#define HANSOM_BUS_WORLD_H
/* One loop, one server, and waiting for conditions on the loop. */
#include <uv.h>

#include "bus/bus.h"
#include "tests/support/nats_fixture.h"

struct bus_world {
    struct nats_fixture server;
    uv_loop_t loop;
};

void world_open(struct bus_world *world);
/* A connected bus. */
struct bus *world_bus(struct bus_world *world, const char *name);
/* Turns the loop until it holds; fails the test after the time. */
void world_wait(struct bus_world *world, bool (*condition)(void *), void *context);
void world_wait_flag(struct bus_world *world, const bool *flag);
void world_turn(struct bus_world *world, unsigned for_ms);
/* The loop must close empty. */
void world_close(struct bus_world *world);

#endif
