#include "throttle_bus.h"

#include "base/clock.h"
#include "base/hashmap.h"
#include "lease/lease.h"
#include "log/log.h"
#include "proto/subjects.h"
#include "service/service_bus.h"
#include "throttle.h"
#include "throttle_metrics.h"
#include "wire/wire.h"

#define SERVICE_NAME "tracking-throttle"
#define SEED_TIMEOUT_MS 1000
#define SEED_BATCHES_MAX 16
#define DRAIN_GRACE_MS 100 /* for the leases to be given back */

/* A booking whose last position is being asked for; its batches wait. */
struct seed {
    struct throttle_bus *owner;
    struct bus_request *request;
    char booking_id[ID_SIZE];
    Hansom__LocationBatch *batches[SEED_BATCHES_MAX];
    size_t count;
};

struct throttle_bus {
    struct service *service;
    struct metrics *metrics;
    struct bus *bus;
    struct lease_set *leases;
    struct throttle *throttle;
    struct bus_subscription *partitions[PARTITION_COUNT];
    struct bus_subscription *bookings;
    struct hashmap *seeds;
    uv_timer_t due;
    struct strbuf bytes;
    uint64_t counted_conflated, counted_breaks;
    bool is_draining;
};

/* --- out ---------------------------------------------------------------------------------------------------------- */

static void publish_item(struct throttle_bus *self, const char *booking_id, const Hansom__TrackingItem *item)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_TRACKING, booking_id);
    strbuf_clear(&self->bytes);
    MESSAGE_PACK(&self->bytes, item);
    /* While the bus is away positions are lost on purpose: the next one replaces them. */
    if (bus_publish(self->bus, subject, self->bytes.data, self->bytes.length))
        metrics_add(self->metrics, METRIC_THROTTLE_EMITTED, 0, 0, 1);
}

static void begin_item(Hansom__TrackingItem *item, const struct throttle_item *shown)
{
    hansom__tracking_item__init(item);
    item->booking_id = (char *)shown->booking_id;
    item->driver_id = (char *)shown->driver_id;
    item->emitted_at_ms = clock_wall_ms();
    item->received_at_ms = shown->received_at_ms;
}

/* The old track ends as lost, the new one begins: no viewer draws a line between them. */
static void publish_break(struct throttle_bus *self, const struct throttle_item *shown)
{
    Hansom__Fix last;
    throttle_position_to_fix(&shown->last, &last);
    Hansom__TrackingItem__Stale stale = HANSOM__TRACKING_ITEM__STALE__INIT;
    stale.age_ms = shown->received_at_ms - shown->last.timestamp_ms;
    stale.cause = HANSOM__STALE_CAUSE__STALE_CAUSE_GPS_LOST;
    stale.last = &last;
    Hansom__TrackingItem item;
    begin_item(&item, shown);
    item.item_case = HANSOM__TRACKING_ITEM__ITEM_STALE;
    item.stale = &stale;
    item.last_location = &last;
    publish_item(self, shown->booking_id, &item);

    Hansom__TrackingItem__Online online = HANSOM__TRACKING_ITEM__ONLINE__INIT;
    online.at_ms = shown->received_at_ms;
    begin_item(&item, shown);
    item.item_case = HANSOM__TRACKING_ITEM__ITEM_ONLINE;
    item.online = &online;
    item.last_location = &last;
    publish_item(self, shown->booking_id, &item);
}

/* Presence takes an accepted position for a sign of life. */
static void tell_presence(struct throttle_bus *self, const struct throttle_item *shown, Hansom__Fix *fix)
{
    Hansom__AcceptedFix message = HANSOM__ACCEPTED_FIX__INIT;
    message.driver_id = (char *)shown->driver_id;
    message.booking_id = (char *)shown->booking_id;
    message.received_at_ms = shown->received_at_ms;
    message.fix = fix;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_FIX, partition_of(shown->driver_id), shown->driver_id);
    strbuf_clear(&self->bytes);
    MESSAGE_PACK(&self->bytes, &message);
    bus_publish(self->bus, subject, self->bytes.data, self->bytes.length);
}

static void on_emit(void *context, const struct throttle_item *shown)
{
    struct throttle_bus *self = context;
    if (shown->kind == THROTTLE_BREAK)
        publish_break(self, shown);
    Hansom__Fix fix;
    throttle_position_to_fix(&shown->position, &fix);
    Hansom__TrackingItem item;
    begin_item(&item, shown);
    item.item_case = HANSOM__TRACKING_ITEM__ITEM_LOCATION;
    item.location = &fix;
    publish_item(self, shown->booking_id, &item);
    tell_presence(self, shown, &fix);
    double latency_s = (double)(item.emitted_at_ms - shown->received_at_ms) / 1000.0;
    metrics_observe(self->metrics, METRIC_THROTTLE_LATENCY, 0, 0, latency_s < 0 ? 0 : latency_s);
}

static void on_verdict(void *context, enum fix_verdict verdict)
{
    metrics_add(((struct throttle_bus *)context)->metrics, METRIC_THROTTLE_FIXES, verdict, 0, 1);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void count_changes(struct throttle_bus *self)
{
    uint64_t conflated = throttle_conflated(self->throttle), breaks = throttle_breaks(self->throttle);
    metrics_add(self->metrics, METRIC_THROTTLE_CONFLATED, 0, 0, conflated - self->counted_conflated);
    metrics_add(self->metrics, METRIC_THROTTLE_BREAKS, 0, 0, breaks - self->counted_breaks);
    self->counted_conflated = conflated;
    self->counted_breaks = breaks;
    metrics_gauge_set(self->metrics, METRIC_THROTTLE_SLOTS, 0, 0, (int64_t)throttle_slot_count(self->throttle));
}

static void arm_due(struct throttle_bus *self);

static void on_due(uv_timer_t *timer)
{
    struct throttle_bus *self = timer->data;
    throttle_run_due(self->throttle, clock_monotonic_ms());
    arm_due(self);
}

static void arm_due(struct throttle_bus *self)
{
    uint64_t next_ms = throttle_next_due_ms(self->throttle), now_ms = clock_monotonic_ms();
    count_changes(self);
    if (next_ms == UINT64_MAX || self->is_draining)
        return;
    uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    if (!uv_is_active((uv_handle_t *)&self->due) || uv_timer_get_due_in(&self->due) > wait_ms) {
        uv_update_time(service_loop(self->service));
        uv_timer_start(&self->due, on_due, wait_ms, 0);
    }
}

/* After each batch of the bus: one look at the clock for all that it brought. */
static void on_batch_end(void *context)
{
    arm_due(context);
}

/* --- seeds -------------------------------------------------------------------------------------------------------- */

static void seed_free(struct seed *seed)
{
    hashmap_remove(seed->owner->seeds, seed->booking_id);
    bus_request_cancel(&seed->request);
    for (size_t i = 0; i < seed->count; i++)
        hansom__location_batch__free_unpacked(seed->batches[i], NULL);
    mem_free(seed);
}

static void plant(struct seed *seed, const struct bus_message *message)
{
    struct throttle *throttle = seed->owner->throttle;
    uint64_t now_ms = clock_monotonic_ms();
    Hansom__TrackingItem *item =
        message == NULL ? NULL : hansom__tracking_item__unpack(NULL, message->length, message->data);
    const Hansom__Fix *fix = item == NULL                                              ? NULL
                             : item->item_case == HANSOM__TRACKING_ITEM__ITEM_LOCATION ? item->location
                                                                                       : item->last_location;
    struct throttle_position position;
    if (fix != NULL)
        throttle_position_from_fix(&position, fix);
    throttle_seed(throttle, seed->booking_id, item == NULL ? NULL : item->driver_id, fix == NULL ? NULL : &position,
                  now_ms);
    hansom__tracking_item__free_unpacked(item, NULL);
    for (size_t i = 0; i < seed->count; i++)
        throttle_offer(throttle, seed->batches[i], now_ms);
}

static void on_seed(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct seed *seed = context;
    struct throttle_bus *self = seed->owner;
    seed->request = NULL;
    /* Without an answer the ride goes on as if it had just begun. */
    plant(seed, status == BUS_OK ? reply : NULL);
    seed_free(seed);
    arm_due(self);
}

static void hold_for_seed(struct throttle_bus *self, Hansom__LocationBatch *batch)
{
    struct seed *seed = hashmap_get(self->seeds, batch->booking_id);
    if (seed == NULL) {
        seed = mem_alloc(sizeof(*seed));
        seed->owner = self;
        str_copy(seed->booking_id, sizeof(seed->booking_id), batch->booking_id);
        hashmap_set(self->seeds, seed->booking_id, seed);
        char subject[SUBJECT_SIZE];
        snprintf(subject, sizeof(subject), SUBJECT_TRACKING, seed->booking_id);
        seed->request = bus_get_last(self->bus, "POSITION", subject, SEED_TIMEOUT_MS, on_seed, seed);
    }
    if (seed->count == SEED_BATCHES_MAX) /* the newest counts */
        hansom__location_batch__free_unpacked(seed->batches[--seed->count], NULL);
    seed->batches[seed->count++] = batch;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static bool ids_are_good(const Hansom__LocationBatch *batch)
{
    return is_id(batch->booking_id) && is_id(batch->driver_id);
}

static void on_batch(void *context, const struct bus_message *message)
{
    struct throttle_bus *self = context;
    Hansom__LocationBatch *batch = hansom__location_batch__unpack(NULL, message->length, message->data);
    if (batch == NULL || !ids_are_good(batch)) {
        metrics_add(self->metrics, METRIC_THROTTLE_MALFORMED, 0, 0, 1);
        hansom__location_batch__free_unpacked(batch, NULL);
        return;
    }
    if (!throttle_knows(self->throttle, batch->booking_id)) {
        hold_for_seed(self, batch);
        return;
    }
    throttle_offer(self->throttle, batch, clock_monotonic_ms());
    hansom__location_batch__free_unpacked(batch, NULL);
}

static void on_booking(void *context, const struct bus_message *message)
{
    struct throttle_bus *self = context;
    Hansom__Booking *booking = hansom__booking__unpack(NULL, message->length, message->data);
    if (booking != NULL && booking_status_is_ended(booking->status))
        throttle_forget(self->throttle, booking->booking_id, clock_monotonic_ms());
    hansom__booking__free_unpacked(booking, NULL);
}

/* --- partitions --------------------------------------------------------------------------------------------------- */

static void on_lease(void *context, uint32_t partition, bool is_held)
{
    struct throttle_bus *self = context;
    metrics_gauge_add(self->metrics, METRIC_THROTTLE_PARTITIONS, 0, 0, is_held ? 1 : -1);
    if (!is_held) {
        bus_unsubscribe(&self->partitions[partition]);
        throttle_forget_partition(self->throttle, partition);
        return;
    }
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_TRACKING_PARTITION, partition);
    self->partitions[partition] = bus_subscribe(self->bus, subject, NULL, on_batch, self);
}

static void on_settled(void *context, bool is_settled)
{
    struct throttle_bus *self = context;
    service_set_condition(self->service, "partitions", is_settled);
}

static void on_bus_state(void *context, enum bus_state state)
{
    struct throttle_bus *self = context;
    metrics_gauge_set(self->metrics, METRIC_THROTTLE_BUS_UP, 0, 0, state == BUS_CONNECTED);
    service_set_condition(self->service, "nats", state == BUS_CONNECTED);
    lease_set_bus_state(self->leases, state);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

bool throttle_bus_start(struct service *service, const struct throttle_settings *settings,
                        const struct policy_settings *policy, struct throttle_bus **bus_r, struct strbuf *error)
{
    char *reason = NULL;
    struct bus *bus = service_bus_create(service, &reason);
    if (bus == NULL) {
        strbuf_append_string(error, reason);
        mem_free(reason);
        return false;
    }
    struct throttle_bus *self = mem_alloc(sizeof(*self));
    self->service = service;
    self->metrics = service_metrics(service);
    self->bus = bus;
    struct throttle_rules rules = {.max_speed_kmh = settings->max_speed_kmh,
                                   .max_updates_per_second = policy->on_booking_max_updates_per_second,
                                   .believe_after = (uint32_t)settings->believe_after,
                                   .max_future_ms = settings->max_future_ms,
                                   .slot_idle_ms = (uint64_t)settings->slot_idle_ms,
                                   .max_slots = (size_t)settings->max_slots};
    self->throttle = throttle_create(&rules, on_emit, on_verdict, self);
    self->seeds = hashmap_create();
    strbuf_init(&self->bytes, 512);
    uv_timer_init(service_loop(service), &self->due);
    self->due.data = self;
    service_set_condition(service, "nats", false);
    service_set_condition(service, "partitions", false);
    self->bookings = bus_subscribe(bus, "$KV." BUCKET_BOOKINGS ".*", NULL, on_booking, self);
    self->leases =
        lease_set_create(bus, service_loop(service), SERVICE_NAME, service_settings(service)->instance, on_lease, self);
    lease_set_on_settled(self->leases, on_settled);
    bus_on_batch_end(bus, on_batch_end, self);
    bus_on_state(bus, on_bus_state, self);
    *bus_r = self;
    return true;
}

static void on_drain_over(uv_timer_t *timer)
{
    service_drained(((struct throttle_bus *)timer->data)->service);
}

void throttle_bus_drain(struct throttle_bus *self)
{
    self->is_draining = true;
    throttle_flush(self->throttle, clock_monotonic_ms());
    lease_set_release_all(self->leases);
    uv_timer_start(&self->due, on_drain_over, DRAIN_GRACE_MS, 0);
}

static void free_seed(void *context, const char *key, void *value)
{
    (void)context;
    (void)key;
    seed_free(value);
}

static void on_due_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void throttle_bus_stop(struct throttle_bus *self)
{
    bus_on_state(self->bus, NULL, NULL);
    bus_on_batch_end(self->bus, NULL, NULL);
    lease_set_destroy(&self->leases);
    hashmap_each(self->seeds, free_seed, NULL);
    hashmap_destroy(&self->seeds);
    bus_unsubscribe(&self->bookings);
    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        bus_unsubscribe(&self->partitions[i]);
    throttle_destroy(&self->throttle);
    bus_destroy(&self->bus);
    strbuf_finish(&self->bytes);
    uv_close((uv_handle_t *)&self->due, on_due_closed);
}
