#ifndef HANSOM_THROTTLE_H
#define HANSOM_THROTTLE_H
/*
 * The rules of live positions, per booking: what is refused, what is shown and when. Pure: `now` comes in, in
 * milliseconds of one monotonic clock; fixes carry their own wall-clock time.
 *
 * A fix is refused when it is out of range, not newer than the last accepted one, too far in the future, or would mean
 * a speed above the maximum since the last accepted fix. After `believe_after` refusals for speed in a row that agree
 * with each other the new place is believed, and the track is broken visibly (docs/adr/0002-believing-a-new-place.md).
 * Accepted positions go out at once if the last one went out at least an interval ago, else the newest waits for its
 * turn: a burst's last position always goes out.
 */
#include "base/ids.h"
#include "proto/bus.pb-c.h"

struct throttle;

struct throttle_rules {
    double max_speed_kmh;
    double max_updates_per_second;
    uint32_t believe_after;
    int64_t max_future_ms;
    uint64_t slot_idle_ms; /* a booking without fixes is forgotten after */
    size_t max_slots;
};

enum fix_verdict {
    FIX_ACCEPTED,
    FIX_OUT_OF_RANGE,
    FIX_OUTDATED,  /* older than the last accepted one */
    FIX_DUPLICATE, /* the same time as the last accepted one */
    FIX_FUTURE,
    FIX_SPEED,
    FIX_SUPERSEDED, /* from a device that was replaced */
    FIX_TOO_MANY,   /* max_slots is reached */
    FIX_VERDICT_COUNT
};
extern const char *const fix_verdict_names[]; /* NULL-terminated */

struct throttle_position {
    double lat, lng;
    double bearing, speed_kmh, accuracy_m; /* NaN: not given */
    int64_t timestamp_ms;
};

/* What goes out; the strings are valid during the call. */
struct throttle_item {
    const char *booking_id, *driver_id;
    enum { THROTTLE_LOCATION, THROTTLE_BREAK } kind;
    struct throttle_position position; /* the one to show */
    struct throttle_position last;     /* BREAK: the last one of the broken track */
    int64_t received_at_ms;            /* wall clock, of the fix */
};
typedef void throttle_emit_cb(void *context, const struct throttle_item *item);
typedef void throttle_verdict_cb(void *context, enum fix_verdict verdict);

/* `emit` is called from offer and run_due; `verdict` once per fix. */
struct throttle *throttle_create(const struct throttle_rules *rules, throttle_emit_cb *emit,
                                 throttle_verdict_cb *verdict, void *context);
void throttle_destroy(struct throttle **throttle);

/* Judges a batch, oldest fix first, and shows the newest accepted one (now or when it is due). */
void throttle_offer(struct throttle *throttle, const Hansom__LocationBatch *batch, uint64_t now_ms);
/* Is this booking's last position known (or known not to exist)? Else ask the store and call throttle_seed. */
bool throttle_knows(const struct throttle *throttle, const char *booking_id);
/* What was shown last, by whoever worked before; position NULL: nothing. */
void throttle_seed(struct throttle *throttle, const char *booking_id, const char *driver_id,
                   const struct throttle_position *position, uint64_t now_ms);
/* Shows what waits (if any) and forgets. */
void throttle_forget(struct throttle *throttle, const char *booking_id, uint64_t now_ms);
/* Shows everything that waits, at once (drain). */
void throttle_flush(struct throttle *throttle, uint64_t now_ms);
/* Forgets all bookings of a partition, without showing. */
void throttle_forget_partition(struct throttle *throttle, uint32_t partition);
/* When run_due is to be called next; UINT64_MAX: no need. */
uint64_t throttle_next_due_ms(const struct throttle *throttle);
void throttle_run_due(struct throttle *throttle, uint64_t now_ms);
size_t throttle_slot_count(const struct throttle *throttle);
/* Positions replaced by a newer one before they were shown, and tracks broken, so far. */
uint64_t throttle_conflated(const struct throttle *throttle);
uint64_t throttle_breaks(const struct throttle *throttle);

void throttle_position_from_fix(struct throttle_position *position, const Hansom__Fix *fix);
void throttle_position_to_fix(const struct throttle_position *position, Hansom__Fix *fix_r);

#endif
