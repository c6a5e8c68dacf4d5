#include "presence_bus.h"

#include "base/clock.h"
#include "kv_keeper.h"
#include "lease/lease.h"
#include "log/log.h"
#include "presence_core.h"
#include "presence_metrics.h"
#include "proto/subjects.h"
#include "service/service_bus.h"
#include "wire/wire.h"

#define SERVICE_NAME "presence"
#define VIEWERS_TTL_MS 30000
#define DEAF_AFTER_MS 2000 /* the loop did not turn for so long */
#define DRAIN_GRACE_MS 100
#define LOAD_RETRY_MS 500
#define BOOKINGS_MAX 16

enum partition_input {
    INPUT_HEARTBEAT,
    INPUT_FIX,
    INPUT_CONNECTION,
    INPUT_VIEWERS,
    INPUT_MEMBER,
    INPUT_BOOKINGS,
    INPUT_COUNT
};

struct presence_bus {
    struct service *service;
    struct metrics *metrics;
    struct bus *bus;
    struct lease_set *leases;
    struct presence *presence;
    struct presence_rules rules;
    int64_t wake_life_ms;
    struct kv_keeper *keeper;
    struct bus_subscription *inputs[PARTITION_COUNT][INPUT_COUNT];
    struct bus_subscription *bookings, *alive;
    struct bus_load *bookings_load, *drivers_load;
    bool wants_sync[PARTITION_COUNT]; /* gained; the gateways are asked once the drivers are loaded */
    bool has_gained, are_bookings_loaded;
    uv_timer_t tick;
    uint64_t ticked_ms, load_retry_ms;
    struct strbuf bytes;
};

static struct presence_now now(void)
{
    return (struct presence_now){clock_monotonic_ms(), clock_wall_ms()};
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

static void pack(struct presence_bus *self, const ProtobufCMessage *message)
{
    strbuf_clear(&self->bytes);
    message_pack(&self->bytes, message);
}

static void on_driver_changed(void *context, const Hansom__PresenceChange *change)
{
    struct presence_bus *self = context;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_DRIVER_PRESENCE, change->driver_id);
    pack(self, &change->base);
    /* The stream listens to the same subject: one write is the news and the checkpoint. */
    kv_keeper_store(self->keeper, subject, NULL, self->bytes.data, self->bytes.length);
    metrics_add(self->metrics, METRIC_PRESENCE_CHANGES, change->status, change->reason, 1);
    LOG_INFO("driver_changed", LOG_STR("driver", change->driver_id),
             LOG_STR("status", presence_status_text(change->status)),
             LOG_STR("reason", presence_reason_text(change->reason)));
}

static void on_tracking(void *context, const Hansom__TrackingItem *item)
{
    struct presence_bus *self = context;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_TRACKING, item->booking_id);
    pack(self, &item->base);
    bus_publish(self->bus, subject, self->bytes.data, self->bytes.length);
    if (item->item_case == HANSOM__TRACKING_ITEM__ITEM_STALE)
        metrics_add(self->metrics, METRIC_PRESENCE_STALE, item->stale->cause, 0, 1);
}

static void on_participant(void *context, const Hansom__ParticipantChange *change)
{
    struct presence_bus *self = context;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_BOOKING_PRESENCE, change->booking_id);
    pack(self, &change->base);
    bus_publish(self->bus, subject, self->bytes.data, self->bytes.length);
}

static void store_policy(struct presence_bus *self, const char *key, const Hansom__DriverPolicy *policy)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_KV_POLICY, key);
    pack(self, &policy->base);
    kv_keeper_store(self->keeper, subject, NULL, self->bytes.data, self->bytes.length);
    metrics_add(self->metrics, METRIC_PRESENCE_POLICIES, policy->why, 0, 1);
}

static void on_policy(void *context, const Hansom__DriverPolicy *policy)
{
    store_policy(context, policy->driver_id, policy);
}

static void write_offline_data(struct strbuf *out, const Hansom__Booking *booking, const Hansom__PresenceChange *change)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_kv_string(&json, "booking_id", booking->booking_id);
    json_kv_string(&json, "driver_id", change->driver_id);
    json_kv_time(&json, "last_seen", change->last_seen_ms);
    json_kv_string(&json, "reason", presence_reason_text(change->reason));
    json_end_object(&json);
}

/* A durable event for the rider, once per silence whoever tells it. */
static void on_driver_offline(void *context, const Hansom__Booking *booking, const Hansom__PresenceChange *change)
{
    struct presence_bus *self = context;
    struct strbuf data;
    char subject[SUBJECT_SIZE], event_id[ID_SIZE], message_id[2 * ID_SIZE];
    if (!is_id(booking->client_id))
        return;
    /* The booking's id may be as long as an event's may be: its hash stands for it. */
    snprintf(event_id, sizeof(event_id), "offline-%016llx-%lld",
             (unsigned long long)hash_fnv1a64(booking->booking_id, strlen(booking->booking_id)),
             (long long)change->last_seen_ms);
    snprintf(message_id, sizeof(message_id), "%s.%s", booking->client_id, event_id);
    snprintf(subject, sizeof(subject), SUBJECT_IN_EVENTS, booking->client_id);
    strbuf_init(&data, 256);
    write_offline_data(&data, booking, change);
    Hansom__UserEvent event = HANSOM__USER_EVENT__INIT;
    event.user_id = booking->client_id;
    event.event_id = event_id;
    event.type = "driver_offline";
    event.data_json = data.data;
    event.created_at_ms = change->at_ms;
    event.collapse_key = booking->booking_id;
    pack(self, &event.base);
    kv_keeper_store(self->keeper, subject, message_id, self->bytes.data, self->bytes.length);
    strbuf_finish(&data);
}

/* --- waking ------------------------------------------------------------------------------------------------------- */

/* For the driver's own phone: critical, so that notifier pushes it, and of no use later. */
static void on_driver_wake(void *context, const Hansom__Booking *booking, const Hansom__PresenceChange *change,
                           const char *wake_id)
{
    struct presence_bus *self = context;
    struct strbuf data;
    struct json_writer json;
    char subject[SUBJECT_SIZE], message_id[2 * ID_SIZE];
    strbuf_init(&data, 96);
    json_writer_init(&json, &data);
    json_begin_object(&json);
    json_kv_string(&json, "booking_id", booking->booking_id);
    json_end_object(&json);
    Hansom__UserEvent event = HANSOM__USER_EVENT__INIT;
    event.user_id = change->driver_id;
    event.event_id = (char *)wake_id;
    event.type = "driver_wake";
    event.data_json = data.data;
    event.critical = true;
    event.created_at_ms = change->at_ms;
    event.expires_at_ms = change->at_ms + self->wake_life_ms;
    event.collapse_key = "wake";
    pack(self, &event.base);
    strbuf_finish(&data);
    snprintf(subject, sizeof(subject), SUBJECT_IN_EVENTS, change->driver_id);
    snprintf(message_id, sizeof(message_id), "%s.%s", change->driver_id, wake_id);
    kv_keeper_store(self->keeper, subject, message_id, self->bytes.data, self->bytes.length);
    metrics_add(self->metrics, METRIC_PRESENCE_WAKES, WAKE_SENT, 0, 1);
}

static void on_wake_answered(void *context, const char *driver_id, const char *wake_id, int64_t at_ms)
{
    struct presence_bus *self = context;
    char subject[SUBJECT_SIZE], message_id[2 * ID_SIZE];
    Hansom__EventAck ack = HANSOM__EVENT_ACK__INIT;
    ack.user_id = (char *)driver_id;
    ack.event_id = (char *)wake_id;
    ack.at_ms = at_ms;
    pack(self, &ack.base);
    snprintf(subject, sizeof(subject), SUBJECT_IN_ACK, driver_id);
    snprintf(message_id, sizeof(message_id), "%s.%s", driver_id, wake_id);
    kv_keeper_store(self->keeper, subject, message_id, self->bytes.data, self->bytes.length);
    metrics_add(self->metrics, METRIC_PRESENCE_WAKES, WAKE_ANSWERED, 0, 1);
    LOG_INFO("wake_answered", LOG_STR("driver", driver_id), LOG_STR("event", wake_id));
}

static void on_missed(void *context)
{
    metrics_add(((struct presence_bus *)context)->metrics, METRIC_PRESENCE_MISSED, 0, 0, 1);
}

static void on_store_failed(void *context)
{
    metrics_add(((struct presence_bus *)context)->metrics, METRIC_PRESENCE_STORE_FAILED, 0, 0, 1);
}

static const struct presence_output output = {on_driver_changed, on_tracking,    on_participant,   on_policy,
                                              on_driver_offline, on_driver_wake, on_wake_answered, on_missed};

/* --- in ----------------------------------------------------------------------------------------------------------- */

enum beat_outcome { BEAT_ACCEPTED, BEAT_SUPERSEDED, BEAT_MALFORMED };

static void count_beat(struct presence_bus *self, enum beat_outcome outcome)
{
    metrics_add(self->metrics, METRIC_PRESENCE_BEATS, outcome, 0, 1);
}

static void on_heartbeat(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    Hansom__Heartbeat *beat = hansom__heartbeat__unpack(NULL, message->length, message->data);
    if (beat == NULL || !is_id(beat->driver_id))
        count_beat(self, BEAT_MALFORMED);
    else
        count_beat(self, presence_heartbeat(self->presence, beat, now()) ? BEAT_ACCEPTED : BEAT_SUPERSEDED);
    hansom__heartbeat__free_unpacked(beat, NULL);
}

static void on_fix(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    Hansom__AcceptedFix *fix = hansom__accepted_fix__unpack(NULL, message->length, message->data);
    if (fix != NULL && is_id(fix->driver_id))
        presence_fix(self->presence, fix, now());
    hansom__accepted_fix__free_unpacked(fix, NULL);
}

static void on_connection(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    Hansom__Connection *event = hansom__connection__unpack(NULL, message->length, message->data);
    if (event != NULL && is_id(event->user_id) && is_id(event->session_id) && is_id(event->gateway_id))
        presence_connection(self->presence, event, now());
    hansom__connection__free_unpacked(event, NULL);
}

static void on_viewers(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    Hansom__Viewers *viewers = hansom__viewers__unpack(NULL, message->length, message->data);
    if (viewers != NULL && is_id(viewers->driver_id) && is_id(viewers->booking_id) && is_id(viewers->gateway_id))
        presence_viewers(self->presence, viewers, now());
    hansom__viewers__free_unpacked(viewers, NULL);
}

static void on_alive(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    char gateway_id[ID_SIZE];
    if (bus_subject_token(message->subject, 1, gateway_id, sizeof(gateway_id)))
        presence_gateway_alive(self->presence, gateway_id, now());
}

static void on_booking(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    Hansom__Booking *booking =
        message->length == 0 ? NULL : hansom__booking__unpack(NULL, message->length, message->data);
    if (booking != NULL && is_id(booking->booking_id))
        presence_booking(self->presence, booking, now());
    hansom__booking__free_unpacked(booking, NULL);
}

/* rpc.{p}.user.{id}.member */
static void on_member_asked(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    char user_id[ID_SIZE];
    if (message->reply == NULL || !bus_subject_token(message->subject, 3, user_id, sizeof(user_id)))
        return;
    Hansom__Members__Member member, *list[1] = {&member};
    Hansom__Members members = HANSOM__MEMBERS__INIT;
    members.members = list;
    members.n_members = presence_member(self->presence, user_id, &member) ? 1 : 0;
    pack(self, &members.base);
    bus_publish(self->bus, message->reply, self->bytes.data, self->bytes.length);
}

/* rpc.{p}.driver.{id}.bookings */
static void on_bookings_asked(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    char driver_id[ID_SIZE];
    const char *ids[BOOKINGS_MAX];
    if (message->reply == NULL || !bus_subject_token(message->subject, 3, driver_id, sizeof(driver_id)))
        return;
    Hansom__DriverBookings bookings = HANSOM__DRIVER_BOOKINGS__INIT;
    bookings.booking_ids = (char **)ids;
    bookings.n_booking_ids = presence_bookings_of(self->presence, driver_id, ids, BOOKINGS_MAX);
    pack(self, &bookings.base);
    bus_publish(self->bus, message->reply, self->bytes.data, self->bytes.length);
}

static const struct {
    const char *subject;
    bus_message_cb *handle;
} inputs[INPUT_COUNT] = {
    [INPUT_HEARTBEAT] = {SUBJECT_IN_HEARTBEAT_PARTITION, on_heartbeat},
    [INPUT_FIX] = {SUBJECT_IN_FIX_PARTITION, on_fix},
    [INPUT_CONNECTION] = {SUBJECT_IN_CONNECTION_PARTITION, on_connection},
    [INPUT_VIEWERS] = {SUBJECT_IN_VIEWERS_PARTITION, on_viewers},
    [INPUT_MEMBER] = {SUBJECT_RPC_MEMBER_PARTITION, on_member_asked},
    [INPUT_BOOKINGS] = {SUBJECT_RPC_DRIVER_BOOKINGS_PARTITION, on_bookings_asked},
};

/* --- loading ------------------------------------------------------------------------------------------------------ */

static void on_checkpoint(void *context, const struct bus_message *message)
{
    struct presence_bus *self = context;
    Hansom__PresenceChange *change = hansom__presence_change__unpack(NULL, message->length, message->data);
    if (change != NULL && is_id(change->driver_id) && lease_set_holds(self->leases, partition_of(change->driver_id)))
        presence_restore(self->presence, change, now());
    hansom__presence_change__free_unpacked(change, NULL);
}

static void ask_gateways(struct presence_bus *self)
{
    for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
        char subject[SUBJECT_SIZE];
        snprintf(subject, sizeof(subject), SUBJECT_PRESENCE_SYNC, p);
        if (self->wants_sync[p] && bus_publish(self->bus, subject, "", 0))
            self->wants_sync[p] = false;
    }
}

static void on_drivers_loaded(void *context, enum bus_status status)
{
    struct presence_bus *self = context;
    self->drivers_load = NULL;
    if (status == BUS_OK)
        ask_gateways(self);
    else
        self->has_gained = true; /* once more */
}

static void on_bookings_loaded(void *context, enum bus_status status)
{
    struct presence_bus *self = context;
    self->bookings_load = NULL;
    self->are_bookings_loaded = status == BUS_OK;
    service_set_condition(self->service, "bookings", self->are_bookings_loaded);
}

/* What is missing is loaded: bookings after each connect, drivers after partitions were gained. */
static void load_missing(struct presence_bus *self, uint64_t now_ms)
{
    if (!bus_is_connected(self->bus) || now_ms < self->load_retry_ms)
        return;
    if (!self->are_bookings_loaded && self->bookings_load == NULL) {
        self->load_retry_ms = now_ms + LOAD_RETRY_MS;
        self->bookings_load = bus_load_last(self->bus, "KV_" BUCKET_BOOKINGS, "$KV." BUCKET_BOOKINGS ".>", on_booking,
                                            on_bookings_loaded, self);
    }
    if (self->are_bookings_loaded && self->has_gained && self->drivers_load == NULL) {
        self->has_gained = false;
        self->drivers_load =
            bus_load_last(self->bus, "PRESENCE", "driver.*.presence", on_checkpoint, on_drivers_loaded, self);
    }
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void show_gauges(struct presence_bus *self)
{
    for (int status = 0; status <= HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_OFFLINE; status++)
        metrics_gauge_set(self->metrics, METRIC_PRESENCE_DRIVERS, (unsigned)status, 0,
                          (int64_t)presence_driver_count(self->presence, (Hansom__PresenceStatus)status));
    metrics_gauge_set(self->metrics, METRIC_PRESENCE_CONNECTIONS, 0, 0,
                      (int64_t)presence_connection_count(self->presence));
    metrics_gauge_set(self->metrics, METRIC_PRESENCE_GATEWAYS, 0, 0, (int64_t)presence_gateway_count(self->presence));
}

static void on_tick(uv_timer_t *timer)
{
    struct presence_bus *self = timer->data;
    struct presence_now moment = now();
    if (moment.mono_ms - self->ticked_ms > DEAF_AFTER_MS) {
        LOG_WARN("was_deaf", LOG_INT("for_ms", moment.mono_ms - self->ticked_ms));
        presence_was_deaf(self->presence, moment);
    }
    self->ticked_ms = moment.mono_ms;
    /* Cut off from the bus nothing can be heard, so nothing may be concluded. */
    if (bus_is_connected(self->bus))
        presence_advance(self->presence, moment);
    load_missing(self, moment.mono_ms);
    show_gauges(self);
}

/* --- partitions and the bus --------------------------------------------------------------------------------------- */

static void on_lease(void *context, uint32_t partition, bool is_held)
{
    struct presence_bus *self = context;
    metrics_gauge_add(self->metrics, METRIC_PRESENCE_PARTITIONS, 0, 0, is_held ? 1 : -1);
    for (size_t i = 0; i < INPUT_COUNT; i++) {
        char subject[SUBJECT_SIZE];
        /* The table holds only formats with one unsigned, the partition. */
        const char *format = inputs[i].subject;
        const char *hole = strstr(format, "%u");
        snprintf(subject, sizeof(subject), "%.*s%u%s", (int)(hole - format), format, partition, hole + 2);
        if (is_held)
            self->inputs[partition][i] = bus_subscribe(self->bus, subject, NULL, inputs[i].handle, self);
        else
            bus_unsubscribe(&self->inputs[partition][i]);
    }
    self->wants_sync[partition] = is_held;
    if (is_held)
        self->has_gained = true;
    else
        presence_forget_partition(self->presence, partition);
}

static void on_settled(void *context, bool is_settled)
{
    struct presence_bus *self = context;
    service_set_condition(self->service, "partitions", is_settled);
}

static void on_bus_state(void *context, enum bus_state state)
{
    struct presence_bus *self = context;
    bool is_up = state == BUS_CONNECTED;
    metrics_gauge_set(self->metrics, METRIC_PRESENCE_BUS_UP, 0, 0, is_up);
    service_set_condition(self->service, "nats", is_up);
    lease_set_bus_state(self->leases, state);
    self->are_bookings_loaded = false;
    if (!is_up)
        return;
    presence_was_deaf(self->presence, now());
    for (uint32_t p = 0; p < PARTITION_COUNT; p++)
        if (lease_set_holds(self->leases, p))
            self->wants_sync[p] = self->has_gained = true;
    Hansom__DriverPolicy policy;
    presence_policy_of(self->rules.policy, HANSOM__POLICY_WHY__POLICY_WHY_AVAILABLE, &policy);
    store_policy(self, "default", &policy);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void start_parts(struct presence_bus *self, const struct presence_settings *settings,
                        const struct policy_settings *policy)
{
    uv_loop_t *loop = service_loop(self->service);
    self->rules = (struct presence_rules){.policy = policy,
                                          .heartbeat_grace_ms = (uint64_t)settings->heartbeat_grace_ms,
                                          .reconnect_grace_ms = (uint64_t)settings->reconnect_grace_ms,
                                          .gateway_timeout_ms = (uint64_t)settings->gateway_timeout_ms,
                                          .no_viewers_delay_ms = (uint64_t)settings->no_viewers_delay_ms,
                                          .viewers_ttl_ms = VIEWERS_TTL_MS};
    self->wake_life_ms = settings->wake_life_ms;
    self->presence = presence_create(&self->rules, &output, self, now());
    self->keeper = kv_keeper_create(self->bus, loop, on_store_failed, self);
    strbuf_init(&self->bytes, 512);
    self->bookings = bus_subscribe(self->bus, "$KV." BUCKET_BOOKINGS ".*", NULL, on_booking, self);
    self->alive = bus_subscribe(self->bus, SUBJECT_GATEWAY_ALIVE_ALL, NULL, on_alive, self);
    self->leases =
        lease_set_create(self->bus, loop, SERVICE_NAME, service_settings(self->service)->instance, on_lease, self);
    lease_set_on_settled(self->leases, on_settled);
    uv_timer_init(loop, &self->tick);
    self->tick.data = self;
    self->ticked_ms = clock_monotonic_ms();
    uv_timer_start(&self->tick, on_tick, PRESENCE_TICK_MS, PRESENCE_TICK_MS);
}

bool presence_bus_start(struct service *service, const struct presence_settings *settings,
                        const struct policy_settings *policy, struct presence_bus **bus_r, struct strbuf *error)
{
    char *reason = NULL;
    struct bus *bus = service_bus_create(service, &reason);
    if (bus == NULL) {
        strbuf_append_string(error, reason);
        mem_free(reason);
        return false;
    }
    struct presence_bus *self = mem_alloc(sizeof(*self));
    self->service = service;
    self->metrics = service_metrics(service);
    self->bus = bus;
    service_set_condition(service, "nats", false);
    service_set_condition(service, "partitions", false);
    service_set_condition(service, "bookings", false);
    start_parts(self, settings, policy);
    bus_on_state(bus, on_bus_state, self);
    *bus_r = self;
    return true;
}

static void on_drain_over(uv_timer_t *timer)
{
    service_drained(((struct presence_bus *)timer->data)->service);
}

void presence_bus_drain(struct presence_bus *self)
{
    lease_set_release_all(self->leases);
    uv_timer_start(&self->tick, on_drain_over, DRAIN_GRACE_MS, 0);
}

static void on_tick_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void presence_bus_stop(struct presence_bus *self)
{
    bus_on_state(self->bus, NULL, NULL);
    bus_load_cancel(&self->bookings_load);
    bus_load_cancel(&self->drivers_load);
    lease_set_destroy(&self->leases);
    kv_keeper_destroy(&self->keeper);
    bus_unsubscribe(&self->bookings);
    bus_unsubscribe(&self->alive);
    for (uint32_t p = 0; p < PARTITION_COUNT; p++)
        for (size_t i = 0; i < INPUT_COUNT; i++)
            bus_unsubscribe(&self->inputs[p][i]);
    presence_destroy(&self->presence);
    bus_destroy(&self->bus);
    strbuf_finish(&self->bytes);
    uv_close((uv_handle_t *)&self->tick, on_tick_closed);
}
