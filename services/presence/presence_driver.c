/* The heartbeat machine of one driver. */
#include <stdio.h>

#include "presence_priv.h"

#define LOW_BATTERY_PCT 5

#define ONLINE HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_ONLINE
#define LATE HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_LATE
#define OFFLINE HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_OFFLINE
#define BY_HEARTBEAT HANSOM__PRESENCE_REASON__PRESENCE_REASON_HEARTBEAT
#define BY_TIMEOUT HANSOM__PRESENCE_REASON__PRESENCE_REASON_TIMEOUT

static void on_viewers_gone(struct wheel_timer *timer, void *context);

struct driver *driver_create(struct person *person)
{
    struct driver *driver = mem_alloc(sizeof(*driver));
    hansom__fix__init(&driver->fix);
    list_init(&driver->viewers);
    driver->beat_ms = person->presence->now.mono_ms;
    driver->seen_wall_ms = person->presence->now.wall_ms;
    person->presence->by_status[driver->status]++;
    return driver;
}

void driver_free(struct person *person)
{
    struct driver *driver = person->driver;
    struct presence *presence = person->presence;
    person->driver = NULL;
    if (driver == NULL)
        return;
    timer_wheel_stop(presence->wheel, &driver->watch);
    timer_wheel_stop(presence->wheel, &driver->gps);
    timer_wheel_stop(presence->wheel, &driver->viewers_gone);
    LIST_EACH_SAFE(&driver->viewers, node, following)
    mem_free(CONTAINER_OF(node, struct viewers, node));
    presence->by_status[driver->status]--;
    mem_free(driver);
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static void fill_change(const struct person *person, Hansom__PresenceReason reason, Hansom__PresenceChange *change)
{
    hansom__presence_change__init(change);
    change->driver_id = (char *)person->id;
    change->status = person->driver->status;
    change->availability = person->driver->availability;
    change->reason = reason;
    change->last_seen_ms = person->driver->seen_wall_ms;
    change->at_ms = person->presence->now.wall_ms;
}

static void tell_change(struct person *person, Hansom__PresenceReason reason)
{
    Hansom__PresenceChange change;
    fill_change(person, reason, &change);
    person->presence->output->driver_changed(person->presence->context, &change);
}

static void set_status(struct person *person, Hansom__PresenceStatus status)
{
    ASSERT(status >= ONLINE && status <= OFFLINE);
    person->presence->by_status[person->driver->status]--;
    person->driver->status = status;
    person->presence->by_status[status]++;
}

static void begin_item(const struct person *person, const Hansom__Booking *booking, Hansom__TrackingItem *item)
{
    struct driver *driver = person->driver;
    hansom__tracking_item__init(item);
    item->booking_id = booking->booking_id;
    item->driver_id = (char *)person->id;
    item->emitted_at_ms = person->presence->now.wall_ms;
    item->last_location = driver->has_fix ? &driver->fix : NULL;
}

static Hansom__StaleCause silence_cause(const struct driver *driver)
{
    if (driver->app_state == HANSOM__APP_STATE__APP_STATE_BACKGROUND)
        return HANSOM__STALE_CAUSE__STALE_CAUSE_BACKGROUND;
    if (driver->power_mode == HANSOM__POWER_MODE__POWER_MODE_LOW_BATTERY ||
        (driver->has_battery_pct && driver->battery_pct <= LOW_BATTERY_PCT))
        return HANSOM__STALE_CAUSE__STALE_CAUSE_LOW_BATTERY;
    return driver->is_connection_cut ? HANSOM__STALE_CAUSE__STALE_CAUSE_NETWORK
                                     : HANSOM__STALE_CAUSE__STALE_CAUSE_NO_HEARTBEAT;
}

static bool is_tracked(const Hansom__Booking *booking)
{
    return booking->status >= HANSOM__BOOKING_STATUS__BOOKING_STATUS_DRIVER_EN_ROUTE_PICKUP &&
           booking->status <= HANSOM__BOOKING_STATUS__BOOKING_STATUS_IN_PROGRESS;
}

static void tell_stale(struct person *person, const Hansom__Booking *booking)
{
    struct driver *driver = person->driver;
    if (!is_tracked(booking))
        return;
    Hansom__TrackingItem item;
    Hansom__TrackingItem__Stale stale = HANSOM__TRACKING_ITEM__STALE__INIT;
    int64_t since_ms = driver->has_fix ? driver->fix_wall_ms : driver->seen_wall_ms;
    stale.age_ms = person->presence->now.wall_ms - since_ms;
    stale.cause = driver->is_gps_stale ? HANSOM__STALE_CAUSE__STALE_CAUSE_GPS_LOST : silence_cause(driver);
    stale.last = driver->has_fix ? &driver->fix : NULL;
    begin_item(person, booking, &item);
    item.item_case = HANSOM__TRACKING_ITEM__ITEM_STALE;
    item.stale = &stale;
    person->presence->output->tracking(person->presence->context, &item);
    driver->is_stale_told = true;
}

static void tell_online(struct person *person, const Hansom__Booking *booking)
{
    if (!is_tracked(booking))
        return;
    Hansom__TrackingItem item;
    Hansom__TrackingItem__Online online = HANSOM__TRACKING_ITEM__ONLINE__INIT;
    online.at_ms = person->presence->now.wall_ms;
    begin_item(person, booking, &item);
    item.item_case = HANSOM__TRACKING_ITEM__ITEM_ONLINE;
    item.online = &online;
    person->presence->output->tracking(person->presence->context, &item);
}

static void tell_client_offline(struct person *person, const Hansom__Booking *booking)
{
    Hansom__PresenceChange change;
    fill_change(person, person->away_reason, &change);
    person->presence->output->driver_offline(person->presence->context, booking, &change);
}

/* "wake-" and a UUID of version 7 that follows from who fell silent when. */
static void format_wake_id(char id[ID_SIZE], const char *driver_id, int64_t last_seen_ms)
{
    uint64_t hash = hash_fnv1a64(driver_id, strlen(driver_id));
    uint64_t time = (uint64_t)last_seen_ms & 0xffffffffffff;
    snprintf(id, ID_SIZE, "wake-%08x-%04x-7%03x-%04x-%012llx", (unsigned)(time >> 16), (unsigned)(time & 0xffff),
             (unsigned)(hash >> 52), (unsigned)(0x8000 | (hash >> 48 & 0x3fff)),
             (unsigned long long)(hash & 0xffffffffffff));
}

static void tell_wake(struct person *person, const Hansom__Booking *booking)
{
    if (person->driver->is_wake_told || !str_equal(booking->driver_id, person->id))
        return;
    Hansom__PresenceChange change;
    char wake_id[ID_SIZE];
    person->driver->is_wake_told = true;
    fill_change(person, person->away_reason, &change);
    format_wake_id(wake_id, person->id, change.last_seen_ms);
    person->presence->output->driver_wake(person->presence->context, booking, &change, wake_id);
}

static void note_wake_answer(struct person *person, const char *wake_id)
{
    uint64_t hash = hash_fnv1a64(wake_id, strlen(wake_id));
    if (!is_id(wake_id) || hash == person->driver->answered_wake)
        return;
    person->driver->answered_wake = hash;
    person->presence->output->wake_answered(person->presence->context, person->id, wake_id,
                                            person->presence->now.wall_ms);
}

/* --- the policy --------------------------------------------------------------------------------------------------- */

static bool has_booking(const struct person *person)
{
    const char *ids[1];
    return presence_bookings_of(person->presence, person->id, ids, 1) > 0;
}

static Hansom__PolicyWhy policy_why(const struct person *person)
{
    const struct driver *driver = person->driver;
    if (driver->power_mode == HANSOM__POWER_MODE__POWER_MODE_LOW_BATTERY ||
        driver->power_mode == HANSOM__POWER_MODE__POWER_MODE_LOW_DATA)
        return HANSOM__POLICY_WHY__POLICY_WHY_LOW_POWER;
    if (!has_booking(person))
        return HANSOM__POLICY_WHY__POLICY_WHY_AVAILABLE;
    return driver->is_unwatched ? HANSOM__POLICY_WHY__POLICY_WHY_NO_VIEWERS : HANSOM__POLICY_WHY__POLICY_WHY_ON_BOOKING;
}

void presence_policy_of(const struct policy_settings *s, Hansom__PolicyWhy why, Hansom__DriverPolicy *policy_r)
{
    const struct {
        int64_t interval_ms;
        double updates;
        int64_t missed;
    } rows[] = {
        [HANSOM__POLICY_WHY__POLICY_WHY_AVAILABLE] = {s->available_heartbeat_interval_ms,
                                                      s->available_max_updates_per_second, s->available_missed_limit},
        [HANSOM__POLICY_WHY__POLICY_WHY_ON_BOOKING] = {s->on_booking_heartbeat_interval_ms,
                                                       s->on_booking_max_updates_per_second,
                                                       s->on_booking_missed_limit},
        [HANSOM__POLICY_WHY__POLICY_WHY_LOW_POWER] = {s->low_power_heartbeat_interval_ms,
                                                      s->low_power_max_updates_per_second, s->low_power_missed_limit},
        [HANSOM__POLICY_WHY__POLICY_WHY_NO_VIEWERS] = {s->no_viewers_heartbeat_interval_ms,
                                                       s->no_viewers_max_updates_per_second,
                                                       s->no_viewers_missed_limit},
    };
    ASSERT(why > 0 && (size_t)why < ARRAY_LEN(rows));
    hansom__driver_policy__init(policy_r);
    policy_r->heartbeat_interval_ms = (uint32_t)rows[why].interval_ms;
    policy_r->max_updates_per_second = rows[why].updates;
    policy_r->missed_limit = (uint32_t)rows[why].missed;
    policy_r->why = why;
}

void driver_update_policy(struct person *person)
{
    struct driver *driver = person->driver;
    struct presence *presence = person->presence;
    Hansom__PolicyWhy why = policy_why(person);
    if (why == driver->told_why)
        return;
    driver->told_why = why;
    Hansom__DriverPolicy policy;
    presence_policy_of(presence->rules->policy, why, &policy);
    policy.driver_id = person->id;
    presence->output->policy(presence->context, &policy);
}

/* --- timers ------------------------------------------------------------------------------------------------------- */

bool driver_is_monitored(const struct person *person)
{
    return person->driver->availability == HANSOM__AVAILABILITY__AVAILABILITY_AVAILABLE || has_booking(person);
}

static void current_limits(const struct person *person, uint64_t *late_ms_r, uint64_t *offline_ms_r)
{
    const struct presence_rules *rules = person->presence->rules;
    Hansom__DriverPolicy policy;
    presence_policy_of(rules->policy, policy_why(person), &policy);
    *late_ms_r = policy.heartbeat_interval_ms + rules->heartbeat_grace_ms;
    *offline_ms_r = (uint64_t)policy.heartbeat_interval_ms * policy.missed_limit + rules->heartbeat_grace_ms;
}

static void on_watch(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct person *person = context;
    struct driver *driver = person->driver;
    uint64_t late_ms, offline_ms, silent_ms = person->presence->now.mono_ms - driver->beat_ms;
    current_limits(person, &late_ms, &offline_ms);
    if (silent_ms >= offline_ms) {
        person->presence->output->missed(person->presence->context);
        driver_offline(person, BY_TIMEOUT);
        return;
    }
    if (silent_ms >= late_ms && driver->status != LATE) {
        person->presence->output->missed(person->presence->context);
        set_status(person, LATE);
        tell_change(person, BY_TIMEOUT);
    }
    driver_rearm(person);
}

/* Beats come, positions do not. */
static void on_gps(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct person *person = context;
    struct driver *driver = person->driver;
    uint64_t late_ms, offline_ms;
    current_limits(person, &late_ms, &offline_ms);
    if (driver->status == ONLINE && !driver->is_gps_stale &&
        person->presence->now.mono_ms - driver->fix_ms >= offline_ms) {
        driver->is_gps_stale = true;
        person_each_booking(person, tell_stale);
    }
    driver_rearm(person);
}

static void arm_watch(struct person *person)
{
    struct driver *driver = person->driver;
    struct timer_wheel *wheel = person->presence->wheel;
    uint64_t late_ms, offline_ms;
    timer_wheel_stop(wheel, &driver->watch);
    if (driver->status == OFFLINE || !driver_is_monitored(person))
        return;
    current_limits(person, &late_ms, &offline_ms);
    uint64_t wait_ms = driver->status == LATE || offline_ms < late_ms ? offline_ms : late_ms;
    timer_wheel_start(wheel, &driver->watch, driver->beat_ms + wait_ms, on_watch, person);
}

static void arm_gps(struct person *person)
{
    struct driver *driver = person->driver;
    struct timer_wheel *wheel = person->presence->wheel;
    timer_wheel_stop(wheel, &driver->gps);
    if (driver->fix_ms == 0 || driver->is_gps_stale || driver->status != ONLINE || !has_booking(person))
        return;
    uint64_t late_ms, offline_ms;
    current_limits(person, &late_ms, &offline_ms);
    uint64_t due_ms = driver->fix_ms + offline_ms, now_ms = person->presence->now.mono_ms;
    timer_wheel_start(wheel, &driver->gps, due_ms > now_ms ? due_ms : now_ms + late_ms, on_gps, person);
}

void driver_rearm(struct person *person)
{
    driver_update_policy(person);
    arm_watch(person);
    arm_gps(person);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

void driver_alive(struct person *person)
{
    struct driver *driver = person->driver;
    driver->beat_ms = person->presence->now.mono_ms;
    driver->seen_wall_ms = person->presence->now.wall_ms;
    driver->is_beat_known = true;
    driver->is_connection_cut = false;
    if (driver->status != ONLINE) {
        set_status(person, ONLINE);
        tell_change(person, BY_HEARTBEAT);
    }
    if (driver->is_stale_told && !driver->is_gps_stale) {
        driver->is_stale_told = false;
        person_each_booking(person, tell_online);
    }
}

void driver_offline(struct person *person, Hansom__PresenceReason reason)
{
    struct driver *driver = person->driver;
    if (driver->status == OFFLINE)
        return;
    set_status(person, OFFLINE);
    driver->is_gps_stale = false;
    tell_change(person, reason);
    person->away_reason = reason;
    person_each_booking(person, tell_stale);
    person_each_booking(person, tell_client_offline);
    driver->is_wake_told = false;
    person_each_booking(person, tell_wake);
    driver_rearm(person);
}

bool presence_heartbeat(struct presence *presence, const Hansom__Heartbeat *beat, struct presence_now now)
{
    presence->now = now;
    struct person *person = person_get(presence, beat->driver_id, HANSOM__ROLE__ROLE_DRIVER);
    struct driver *driver = person->driver;
    if (beat->publisher_revision < driver->publisher_revision)
        return false;
    bool is_changed = driver->status == ONLINE && driver->availability != beat->availability;
    driver->publisher_revision = beat->publisher_revision;
    driver->availability = beat->availability;
    driver->power_mode = beat->power_mode;
    driver->app_state = beat->app_state;
    driver->has_battery_pct = beat->has_battery_pct;
    driver->battery_pct = beat->battery_pct;
    driver_alive(person);
    if (is_changed)
        tell_change(person, BY_HEARTBEAT);
    note_wake_answer(person, beat->wake_id);
    driver_rearm(person);
    return true;
}

void presence_fix(struct presence *presence, const Hansom__AcceptedFix *accepted, struct presence_now now)
{
    presence->now = now;
    if (accepted->fix == NULL)
        return;
    struct person *person = person_get(presence, accepted->driver_id, HANSOM__ROLE__ROLE_DRIVER);
    struct driver *driver = person->driver;
    driver->fix = *accepted->fix;
    driver->has_fix = true;
    driver->fix_ms = now.mono_ms;
    driver->fix_wall_ms = now.wall_ms;
    driver->is_gps_stale = false;
    driver_alive(person);
    driver_rearm(person);
}

void presence_restore(struct presence *presence, const Hansom__PresenceChange *checkpoint, struct presence_now now)
{
    presence->now = now;
    struct person *person = person_get(presence, checkpoint->driver_id, HANSOM__ROLE__ROLE_DRIVER);
    struct driver *driver = person->driver;
    if (driver->is_beat_known || checkpoint->status < ONLINE || checkpoint->status > OFFLINE)
        return; /* what was heard since is newer */
    set_status(person, checkpoint->status);
    driver->availability = checkpoint->availability;
    driver->seen_wall_ms = checkpoint->last_seen_ms;
    driver->is_stale_told = checkpoint->status == OFFLINE;
    driver_rearm(person);
}

/* --- viewers ------------------------------------------------------------------------------------------------------ */

static bool is_watched(struct person *person)
{
    uint64_t now_ms = person->presence->now.mono_ms;
    bool has_viewer = false;
    LIST_EACH_SAFE(&person->driver->viewers, node, following)
    {
        struct viewers *viewers = CONTAINER_OF(node, struct viewers, node);
        if (viewers->count > 0 && now_ms - viewers->said_ms <= person->presence->rules->viewers_ttl_ms) {
            has_viewer = true;
            continue;
        }
        list_remove(node);
        mem_free(viewers);
    }
    return has_viewer;
}

void driver_viewers_changed(struct person *person)
{
    struct driver *driver = person->driver;
    const struct presence_rules *rules = person->presence->rules;
    bool has_viewer = is_watched(person);
    if (has_viewer)
        driver->is_unwatched = false;
    uint64_t wait_ms = has_viewer ? rules->viewers_ttl_ms : rules->no_viewers_delay_ms;
    if (has_viewer || (has_booking(person) && !driver->is_unwatched && !timer_wheel_is_running(&driver->viewers_gone)))
        timer_wheel_start(person->presence->wheel, &driver->viewers_gone, person->presence->now.mono_ms + wait_ms,
                          on_viewers_gone, person);
    driver_rearm(person);
}

static void on_viewers_gone(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct person *person = context;
    if (!is_watched(person))
        person->driver->is_unwatched = true;
    driver_rearm(person);
}

void presence_viewers(struct presence *presence, const Hansom__Viewers *said, struct presence_now now)
{
    presence->now = now;
    struct person *person = person_get(presence, said->driver_id, HANSOM__ROLE__ROLE_DRIVER);
    struct viewers *viewers = NULL;
    LIST_EACH(&person->driver->viewers, node)
    {
        struct viewers *known = CONTAINER_OF(node, struct viewers, node);
        if (str_equal(known->gateway_id, said->gateway_id) && str_equal(known->booking_id, said->booking_id))
            viewers = known;
    }
    if (viewers == NULL) {
        viewers = mem_alloc(sizeof(*viewers));
        str_copy(viewers->gateway_id, sizeof(viewers->gateway_id), said->gateway_id);
        str_copy(viewers->booking_id, sizeof(viewers->booking_id), said->booking_id);
        list_append(&person->driver->viewers, &viewers->node);
    }
    viewers->count = said->count;
    viewers->said_ms = now.mono_ms;
    if (said->count == 0) /* the delay begins now */
        timer_wheel_stop(presence->wheel, &person->driver->viewers_gone);
    driver_viewers_changed(person);
}
