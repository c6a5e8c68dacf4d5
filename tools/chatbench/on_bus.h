#ifndef HANSOM_ON_BUS_H
#define HANSOM_ON_BUS_H
/* A loop with a connection to NATS, for as long as a command needs it. */
#include <uv.h>

#include "bus/bus.h"

struct on_bus {
    uv_loop_t loop;
    struct bus *bus;
    void (*begin)(void *context);
    void *context;
    bool has_begun;
};

/* Connects to HANSOM_NATS_URL, calls `begin`, and runs until uv_stop. False: that is missing or wrong; it was said. */
MUST_CHECK bool on_bus_run(struct on_bus *on_bus, void (*begin)(void *context), void *context);

#endif
