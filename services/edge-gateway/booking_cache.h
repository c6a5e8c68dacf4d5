#ifndef HANSOM_BOOKING_CACHE_H
#define HANSOM_BOOKING_CACHE_H
/*
 * The bookings that somebody here has to do with: read once from KV, then followed live. An entry is held by
 * references and lingers a little after the last one.
 */
#include "base/list.h"
#include "base/timer_wheel.h"
#include "bus/bus.h"
#include "wire/wire.h"

struct booking_cache;

struct booking_entry {
    struct booking_cache *cache;
    char id[ID_SIZE];
    Hansom__Booking *booking; /* NULL: unknown, or there is none */
    bool is_known;
    uint32_t references;
    struct bus_subscription *subscription;
    struct bus_request *request;
    struct list_node waiters;
    struct list_node dependents; /* subscriptions that live by it */
    struct wheel_timer linger;
};

/* booking is NULL when there is none; status BUS_OK or BUS_NOT_FOUND say that this is certain. */
typedef void booking_known_cb(void *context, enum bus_status status, const Hansom__Booking *booking);
struct booking_waiter { /* zeroed memory is a waiter that does not wait */
    struct list_node node;
    booking_known_cb *callback;
    void *context;
};
/* A live change, after the first read. */
typedef void booking_changed_cb(void *context, struct booking_entry *entry);

struct booking_cache *booking_cache_create(struct bus *bus, struct timer_wheel *wheel, booking_changed_cb *on_change,
                                           void *context);
/* Nobody may hold a reference any more. */
void booking_cache_destroy(struct booking_cache **cache);
struct booking_entry *booking_acquire(struct booking_cache *cache, const char *booking_id);
/* Clears the pointer; NULL is allowed. */
void booking_release(struct booking_entry **entry);
/* Calls at once if it is known, else when the read has ended. */
void booking_when_known(struct booking_entry *entry, struct booking_waiter *waiter, booking_known_cb *callback,
                        void *context);
void booking_wait_cancel(struct booking_waiter *waiter);
/* Read all again: after the bus was away. */
void booking_cache_refresh(struct booking_cache *cache);

#endif
