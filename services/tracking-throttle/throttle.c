#include "throttle.h"

#include <math.h>

#include "base/hashmap.h"
#include "base/heap.h"
#include "base/list.h"
#include "geo.h"

#define MS_PER_HOUR 3600000.0

const char *const fix_verdict_names[] = {"accepted", "out_of_range", "outdated", "duplicate", "future",
                                         "speed",    "superseded",   "too_many", NULL};

struct slot {
    struct heap_node due;    /* while a position waits */
    struct list_node by_use; /* the longest unused first */
    char booking_id[ID_SIZE], driver_id[ID_SIZE];
    uint64_t publisher_revision;
    uint64_t used_ms, shown_ms; /* shown_ms 0: nothing yet */
    bool has_accepted, is_break_pending;
    struct throttle_position accepted;  /* the last one */
    struct throttle_position broken_at; /* the last one before the break */
    int64_t received_at_ms;
    /* The place that disagrees with the accepted one: how often in a row, and where last. */
    uint32_t doubt_count;
    struct throttle_position doubt;
};

struct throttle {
    struct throttle_rules rules;
    throttle_emit_cb *emit;
    throttle_verdict_cb *verdict;
    void *context;
    struct hashmap *slots;
    struct heap due;
    struct list_node by_use;
    uint64_t conflated, breaks;
};

struct throttle *throttle_create(const struct throttle_rules *rules, throttle_emit_cb *emit,
                                 throttle_verdict_cb *verdict, void *context)
{
    struct throttle *throttle = mem_alloc(sizeof(*throttle));
    throttle->rules = *rules;
    throttle->emit = emit;
    throttle->verdict = verdict;
    throttle->context = context;
    throttle->slots = hashmap_create();
    heap_init(&throttle->due);
    list_init(&throttle->by_use);
    return throttle;
}

static void slot_free(struct throttle *throttle, struct slot *slot)
{
    hashmap_remove(throttle->slots, slot->booking_id);
    heap_remove(&throttle->due, &slot->due);
    list_remove(&slot->by_use);
    mem_free(slot);
}

void throttle_destroy(struct throttle **throttle_pointer)
{
    struct throttle *throttle = *throttle_pointer;
    *throttle_pointer = NULL;
    if (throttle == NULL)
        return;
    while (!list_is_empty(&throttle->by_use))
        slot_free(throttle, CONTAINER_OF(throttle->by_use.next, struct slot, by_use));
    hashmap_destroy(&throttle->slots);
    heap_finish(&throttle->due);
    mem_free(throttle);
}

static struct slot *slot_use(struct throttle *throttle, const char *booking_id, uint64_t now_ms)
{
    struct slot *slot = hashmap_get(throttle->slots, booking_id);
    if (slot == NULL) {
        if (hashmap_count(throttle->slots) >= throttle->rules.max_slots)
            return NULL;
        slot = mem_alloc(sizeof(*slot));
        str_copy(slot->booking_id, sizeof(slot->booking_id), booking_id);
        hashmap_set(throttle->slots, booking_id, slot);
    }
    slot->used_ms = now_ms;
    list_remove(&slot->by_use);
    list_append(&throttle->by_use, &slot->by_use);
    return slot;
}

/* --- showing ------------------------------------------------------------------------------------------------------ */

static void show(struct throttle *throttle, struct slot *slot, uint64_t now_ms)
{
    heap_remove(&throttle->due, &slot->due);
    struct throttle_item item = {.booking_id = slot->booking_id,
                                 .driver_id = slot->driver_id,
                                 .kind = slot->is_break_pending ? THROTTLE_BREAK : THROTTLE_LOCATION,
                                 .position = slot->accepted,
                                 .last = slot->broken_at,
                                 .received_at_ms = slot->received_at_ms};
    slot->shown_ms = now_ms;
    slot->is_break_pending = false;
    throttle->emit(throttle->context, &item);
}

static void show_or_wait(struct throttle *throttle, struct slot *slot, uint64_t now_ms)
{
    uint64_t interval_ms = (uint64_t)(1000.0 / throttle->rules.max_updates_per_second);
    if (heap_has(&slot->due)) {
        throttle->conflated++;
        return;
    }
    if (slot->shown_ms == 0 || now_ms - slot->shown_ms >= interval_ms)
        show(throttle, slot, now_ms);
    else
        heap_update(&throttle->due, &slot->due, slot->shown_ms + interval_ms);
}

uint64_t throttle_next_due_ms(const struct throttle *throttle)
{
    struct heap_node *first = heap_first(&throttle->due);
    uint64_t next_ms = first == NULL ? UINT64_MAX : first->key;
    if (!list_is_empty(&throttle->by_use)) {
        struct slot *oldest = CONTAINER_OF(throttle->by_use.next, struct slot, by_use);
        uint64_t idle_ms = oldest->used_ms + throttle->rules.slot_idle_ms;
        next_ms = idle_ms < next_ms ? idle_ms : next_ms;
    }
    return next_ms;
}

void throttle_run_due(struct throttle *throttle, uint64_t now_ms)
{
    for (struct heap_node *first; (first = heap_first(&throttle->due)) != NULL && first->key <= now_ms;)
        show(throttle, CONTAINER_OF(first, struct slot, due), now_ms);
    while (!list_is_empty(&throttle->by_use)) {
        struct slot *oldest = CONTAINER_OF(throttle->by_use.next, struct slot, by_use);
        if (oldest->used_ms + throttle->rules.slot_idle_ms > now_ms)
            break;
        slot_free(throttle, oldest);
    }
}

void throttle_flush(struct throttle *throttle, uint64_t now_ms)
{
    for (struct heap_node *first; (first = heap_first(&throttle->due)) != NULL;)
        show(throttle, CONTAINER_OF(first, struct slot, due), now_ms);
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

/* From one to the later other, km/h. */
static double implied_speed_kmh(const struct throttle_position *from, const struct throttle_position *to)
{
    double metres = geo_distance_m(from->lat, from->lng, to->lat, to->lng);
    return metres / 1000.0 * MS_PER_HOUR / (double)(to->timestamp_ms - from->timestamp_ms);
}

static bool is_in_range(const struct throttle_position *position)
{
    return isfinite(position->lat) && isfinite(position->lng) && fabs(position->lat) <= 90 &&
           fabs(position->lng) <= 180;
}

static bool is_reachable(const struct throttle *throttle, const struct throttle_position *from,
                         const struct throttle_position *to)
{
    return to->timestamp_ms > from->timestamp_ms && implied_speed_kmh(from, to) <= throttle->rules.max_speed_kmh;
}

/* A place that disagrees: believed once enough of its kind have come. */
static enum fix_verdict doubt(struct throttle *throttle, struct slot *slot, const struct throttle_position *position)
{
    bool agrees = slot->doubt_count > 0 && is_reachable(throttle, &slot->doubt, position);
    slot->doubt_count = agrees ? slot->doubt_count + 1 : 1;
    slot->doubt = *position;
    if (slot->doubt_count <= throttle->rules.believe_after)
        return FIX_SPEED;
    if (!slot->is_break_pending)
        slot->broken_at = slot->accepted;
    slot->is_break_pending = true;
    throttle->breaks++;
    return FIX_ACCEPTED;
}

static enum fix_verdict judge(struct throttle *throttle, struct slot *slot, const struct throttle_position *position,
                              int64_t received_at_ms)
{
    if (!is_in_range(position))
        return FIX_OUT_OF_RANGE;
    if (position->timestamp_ms > received_at_ms + throttle->rules.max_future_ms)
        return FIX_FUTURE;
    if (!slot->has_accepted)
        return FIX_ACCEPTED;
    if (position->timestamp_ms <= slot->accepted.timestamp_ms)
        return position->timestamp_ms == slot->accepted.timestamp_ms ? FIX_DUPLICATE : FIX_OUTDATED;
    if (is_reachable(throttle, &slot->accepted, position))
        return FIX_ACCEPTED;
    return doubt(throttle, slot, position);
}

static void accept(struct slot *slot, const struct throttle_position *position, int64_t received_at_ms)
{
    slot->has_accepted = true;
    slot->accepted = *position;
    slot->received_at_ms = received_at_ms;
    slot->doubt_count = 0;
}

static void refuse_all(struct throttle *throttle, const Hansom__LocationBatch *batch, enum fix_verdict verdict)
{
    for (size_t i = 0; i < batch->n_fixes; i++)
        throttle->verdict(throttle->context, verdict);
}

/* Another driver's track is another track; a replaced device of the same driver is not heard. */
static bool is_current(struct slot *slot, const Hansom__LocationBatch *batch)
{
    if (!str_equal(slot->driver_id, batch->driver_id)) {
        str_copy(slot->driver_id, sizeof(slot->driver_id), batch->driver_id);
        slot->publisher_revision = 0;
        if (slot->has_accepted && !slot->is_break_pending) {
            slot->is_break_pending = true;
            slot->broken_at = slot->accepted;
        }
        slot->has_accepted = false;
        slot->doubt_count = 0;
    }
    if (batch->publisher_revision < slot->publisher_revision)
        return false;
    slot->publisher_revision = batch->publisher_revision;
    return true;
}

void throttle_offer(struct throttle *throttle, const Hansom__LocationBatch *batch, uint64_t now_ms)
{
    struct slot *slot = slot_use(throttle, batch->booking_id, now_ms);
    if (slot == NULL || !is_current(slot, batch)) {
        refuse_all(throttle, batch, slot == NULL ? FIX_TOO_MANY : FIX_SUPERSEDED);
        return;
    }
    uint64_t accepted = 0;
    for (size_t i = 0; i < batch->n_fixes; i++) {
        struct throttle_position position;
        throttle_position_from_fix(&position, batch->fixes[i]);
        enum fix_verdict verdict = judge(throttle, slot, &position, batch->received_at_ms);
        if (verdict == FIX_ACCEPTED) {
            accept(slot, &position, batch->received_at_ms);
            accepted++;
        }
        throttle->verdict(throttle->context, verdict);
    }
    if (accepted == 0)
        return;
    throttle->conflated += accepted - 1;
    show_or_wait(throttle, slot, now_ms);
}

/* --- knowing ------------------------------------------------------------------------------------------------------ */

bool throttle_knows(const struct throttle *throttle, const char *booking_id)
{
    return hashmap_get(throttle->slots, booking_id) != NULL;
}

void throttle_seed(struct throttle *throttle, const char *booking_id, const char *driver_id,
                   const struct throttle_position *position, uint64_t now_ms)
{
    struct slot *slot = slot_use(throttle, booking_id, now_ms);
    if (slot == NULL || slot->has_accepted)
        return;
    if (driver_id != NULL)
        str_copy(slot->driver_id, sizeof(slot->driver_id), driver_id);
    if (position != NULL) {
        slot->has_accepted = true;
        slot->accepted = *position;
    }
}

void throttle_forget(struct throttle *throttle, const char *booking_id, uint64_t now_ms)
{
    struct slot *slot = hashmap_get(throttle->slots, booking_id);
    if (slot == NULL)
        return;
    if (heap_has(&slot->due))
        show(throttle, slot, now_ms);
    slot_free(throttle, slot);
}

void throttle_forget_partition(struct throttle *throttle, uint32_t partition)
{
    LIST_EACH_SAFE(&throttle->by_use, node, following)
    {
        struct slot *slot = CONTAINER_OF(node, struct slot, by_use);
        if (partition_of(slot->booking_id) == partition)
            slot_free(throttle, slot);
    }
}

size_t throttle_slot_count(const struct throttle *throttle)
{
    return hashmap_count(throttle->slots);
}

uint64_t throttle_conflated(const struct throttle *throttle)
{
    return throttle->conflated;
}

uint64_t throttle_breaks(const struct throttle *throttle)
{
    return throttle->breaks;
}

void throttle_position_from_fix(struct throttle_position *position, const Hansom__Fix *fix)
{
    *position = (struct throttle_position){
        .lat = fix->lat,
        .lng = fix->lng,
        .bearing = fix->has_bearing ? fix->bearing : (double)NAN,
        .speed_kmh = fix->has_speed_kmh ? fix->speed_kmh : (double)NAN,
        .accuracy_m = fix->has_accuracy_m ? fix->accuracy_m : (double)NAN,
        .timestamp_ms = fix->timestamp_ms,
    };
}

void throttle_position_to_fix(const struct throttle_position *position, Hansom__Fix *fix_r)
{
    hansom__fix__init(fix_r);
    fix_r->lat = position->lat;
    fix_r->lng = position->lng;
    fix_r->timestamp_ms = position->timestamp_ms;
    fix_r->has_bearing = !isnan(position->bearing);
    fix_r->bearing = fix_r->has_bearing ? position->bearing : 0;
    fix_r->has_speed_kmh = !isnan(position->speed_kmh);
    fix_r->speed_kmh = fix_r->has_speed_kmh ? position->speed_kmh : 0;
    fix_r->has_accuracy_m = !isnan(position->accuracy_m);
    fix_r->accuracy_m = fix_r->has_accuracy_m ? position->accuracy_m : 0;
}
