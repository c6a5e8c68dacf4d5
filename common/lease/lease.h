#ifndef HANSOM_LEASE_H
#define HANSOM_LEASE_H
/*
 * Which of the PARTITION_COUNT partitions this instance works on. A partition is held by a key in bucket `leases`
 * (create or update with the expected revision, renewed well inside the bucket's TTL). Instances share evenly: each
 * announces itself with a member key and gives partitions back beyond its share. An instance that cannot renew in time
 * stops working before the TTL gives the partition to somebody else.
 */
#include "bus/bus.h"

struct lease_set;

/* `is_held` false: stop at once and forget the partition's state; true: load it, then work. Loop thread. */
typedef void lease_change_cb(void *context, uint32_t partition, bool is_held);

/* Whether every partition is held, here or by another, and the bus knows what is listened to on behalf of those that
 * are held here: only now does nothing pass by. False again when the bus or a partition is lost. Loop thread. */
typedef void lease_settled_cb(void *context, bool is_settled);

/* Starts asking when the bus is connected. service and instance are copied. */
struct lease_set *lease_set_create(struct bus *bus, uv_loop_t *loop, const char *service, const char *instance,
                                   lease_change_cb *callback, void *context);
/* Gets the context of the other callback. */
void lease_set_on_settled(struct lease_set *set, lease_settled_cb *callback);
/* Calls is_held=false for none; gives all leases back (best effort). Clears the pointer; NULL is allowed. */
void lease_set_destroy(struct lease_set **set);
bool lease_set_holds(const struct lease_set *set, uint32_t partition);
uint32_t lease_set_count(const struct lease_set *set);
/* Tell it about the bus: call from the bus_on_state listener. */
void lease_set_bus_state(struct lease_set *set, enum bus_state state);
/* Gives everything back to others and asks for no more (drain). */
void lease_set_release_all(struct lease_set *set);

#endif
