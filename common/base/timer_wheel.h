#ifndef HANSOM_TIMER_WHEEL_H
#define HANSOM_TIMER_WHEEL_H
/*
 * Hashed timing wheel (Varghese and Lauck 1987, scheme 6): O(1) start and stop for very many coarse timers. Pure: time
 * comes in from the caller, in milliseconds on any monotonic scale. A timer never fires early and fires at the first
 * advance after its deadline's tick has passed.
 */
#include "base/list.h"

struct wheel_timer;
typedef void wheel_timer_cb(struct wheel_timer *timer, void *context);

struct wheel_timer { /* zeroed memory is a valid stopped timer */
    struct list_node node;
    uint64_t deadline_ms;
    wheel_timer_cb *callback;
    void *context;
};

struct timer_wheel;

/* tick_ms 1..10000, slots a power of two. */
struct timer_wheel *timer_wheel_create(uint64_t now_ms, uint32_t tick_ms, uint32_t slots);
/* Timers still running are forgotten, not fired. */
void timer_wheel_destroy(struct timer_wheel **wheel);
/* Starts, or restarts with the new deadline. */
void timer_wheel_start(struct timer_wheel *wheel, struct wheel_timer *timer, uint64_t deadline_ms,
                       wheel_timer_cb *callback, void *context);
/* Stopping a stopped timer does nothing. */
void timer_wheel_stop(struct timer_wheel *wheel, struct wheel_timer *timer);
bool timer_wheel_is_running(const struct wheel_timer *timer);
/* Fires what is due. Callbacks may start and stop any timer, also their own. Returns the number fired. */
size_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);
size_t timer_wheel_count(const struct timer_wheel *wheel);

#endif
