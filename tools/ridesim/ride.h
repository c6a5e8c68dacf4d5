#ifndef HANSOM_RIDESIM_RIDE_H
#define HANSOM_RIDESIM_RIDE_H
/* One simulated ride: a driver that drives a trace, and riders that watch. */
#include <uv.h>

#include "base/list.h"
#include "hansom_client.h"
#include "internal_api.h"
#include "report.h"
#include "trace.h"

struct simulation {
    uv_loop_t *loop;
    struct internal_api api;
    char host[64];
    int port;
    char run_id[16];                                /* in every id, so that runs do not meet */
    double speed, rate_hz, max_speed_kmh, max_rate; /* rate_hz 0: at the trace's own times; max_rate 0: none */
    int riders_per_ride;
    bool is_demo;
    struct trace_list traces;
    struct report report;
    size_t active; /* rides that still drive */
    bool is_over;  /* driving has ended; only the last positions are awaited */
};

struct ride;

/* Makes the booking at once (a blocking call to backoffice) and starts the clients. NULL with a word on stderr. */
struct ride *ride_create(struct simulation *simulation, size_t number);
/* Adds what its riders saw to the report and ends it. Clears the pointer; NULL is allowed. */
void ride_destroy(struct ride **ride);
/* Begins to drive after the delay. */
void ride_drive(struct ride *ride, uint64_t delay_ms);
bool ride_is_watched(const struct ride *ride);

#endif
