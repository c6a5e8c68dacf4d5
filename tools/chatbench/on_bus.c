#include "on_bus.h"

#include <stdio.h>
#include <stdlib.h>

static void on_state(void *context, enum bus_state state)
{
    struct on_bus *on_bus = context;
    if (state != BUS_CONNECTED || on_bus->has_begun)
        return;
    on_bus->has_begun = true;
    on_bus->begin(on_bus->context);
}

bool on_bus_run(struct on_bus *on_bus, void (*begin)(void *context), void *context)
{
    char *error = NULL;
    const struct bus_config config = {.url = getenv("HANSOM_NATS_URL"), .name = "chatbench", .replicas = 1};
    on_bus->begin = begin;
    on_bus->context = context;
    uv_loop_init(&on_bus->loop);
    on_bus->bus = config.url == NULL ? NULL : bus_create(&on_bus->loop, &config, &error);
    bool is_good = on_bus->bus != NULL;
    if (is_good) {
        bus_on_state(on_bus->bus, on_state, on_bus);
        uv_run(&on_bus->loop, UV_RUN_DEFAULT);
    } else {
        fprintf(stderr, "HANSOM_NATS_URL: %s\n", error == NULL ? "missing" : error);
        mem_free(error);
    }
    bus_destroy(&on_bus->bus);
    uv_run(&on_bus->loop, UV_RUN_DEFAULT);
    uv_loop_close(&on_bus->loop);
    return is_good;
}
