#ifndef HANSOM_THROTTLE_WORLD_H
#define HANSOM_THROTTLE_WORLD_H
/* A throttle whose clock is set by hand, and what it showed. */
#include "throttle.h"

#define SHOWN_MAX 20000

struct throttle_world {
    struct throttle *throttle;
    struct throttle_rules rules;
    uint64_t now_ms;
    int64_t received_ms; /* wall clock of the next batch */
    uint64_t revision;
    size_t verdicts[FIX_VERDICT_COUNT];
    struct throttle_item shown[SHOWN_MAX];
    size_t shown_count;
};

void world_open(struct throttle_world *world);
void world_close(struct throttle_world *world);
/* One fix of driver "d" on booking "b". */
void world_offer(struct throttle_world *world, double lat, double lng, int64_t timestamp_ms);
void world_offer_as(struct throttle_world *world, const char *driver, const Hansom__Fix *fixes, size_t count);
/* Moves the clock and runs what is due on the way. */
void world_advance(struct throttle_world *world, uint64_t by_ms);

#endif
