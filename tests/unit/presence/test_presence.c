/* The rules of presence with the clock set by hand. */
#include <criterion/criterion.h>

#include "presence_core.h"

#define START_WALL_MS 1700000000000ll
#define X_MS 1000
#define N 3

struct world {
    struct presence *presence;
    struct presence_now now;
    unsigned changes, stale, online, joined, left, policies, offline_events, missed;
    Hansom__PresenceStatus status;
    Hansom__PresenceReason reason, left_reason;
    Hansom__StaleCause cause;
    Hansom__PolicyWhy why;
    bool had_last;
    unsigned wakes, answers;
    char wake_id[ID_SIZE], answered[ID_SIZE];
};

static struct world world;
static struct policy_settings policy;
static const struct presence_rules rules = {.policy = &policy,
                                            .heartbeat_grace_ms = 100,
                                            .reconnect_grace_ms = 500,
                                            .gateway_timeout_ms = 3000,
                                            .no_viewers_delay_ms = 2000,
                                            .viewers_ttl_ms = 30000};

static void on_change(void *context, const Hansom__PresenceChange *change)
{
    (void)context;
    world.changes++;
    world.status = change->status;
    world.reason = change->reason;
}

static void on_tracking(void *context, const Hansom__TrackingItem *item)
{
    (void)context;
    if (item->item_case == HANSOM__TRACKING_ITEM__ITEM_STALE) {
        world.stale++;
        world.cause = item->stale->cause;
        world.had_last = item->stale->last != NULL && item->last_location != NULL;
    } else {
        world.online++;
    }
}

static void on_participant(void *context, const Hansom__ParticipantChange *change)
{
    (void)context;
    if (change->joined) {
        world.joined++;
    } else {
        world.left++;
        world.left_reason = change->reason;
    }
}

static void on_policy(void *context, const Hansom__DriverPolicy *told)
{
    (void)context;
    world.policies++;
    world.why = told->why;
}

static void on_offline(void *context, const Hansom__Booking *booking, const Hansom__PresenceChange *change)
{
    (void)context;
    (void)change;
    cr_assert_str_eq(booking->client_id, "c");
    world.offline_events++;
}

static void on_wake(void *context, const Hansom__Booking *booking, const Hansom__PresenceChange *change,
                    const char *wake_id)
{
    (void)context;
    cr_assert_str_eq(booking->driver_id, "d");
    cr_assert_str_eq(change->driver_id, "d");
    world.wakes++;
    str_copy(world.wake_id, sizeof(world.wake_id), wake_id);
}

static void on_answer(void *context, const char *driver_id, const char *wake_id, int64_t at_ms)
{
    (void)context;
    cr_assert_str_eq(driver_id, "d");
    cr_assert_eq(at_ms, world.now.wall_ms);
    world.answers++;
    str_copy(world.answered, sizeof(world.answered), wake_id);
}

static void on_missed(void *context)
{
    (void)context;
    world.missed++;
}

static const struct presence_output output = {on_change,  on_tracking, on_participant, on_policy,
                                              on_offline, on_wake,     on_answer,      on_missed};

static void open_world(void)
{
    policy = (struct policy_settings){X_MS, X_MS, X_MS, X_MS, 1, 1, 1, 1, N, N, N, N};
    world = (struct world){.now = {10000, START_WALL_MS}};
    world.presence = presence_create(&rules, &output, NULL, world.now);
}

static void close_world(void)
{
    presence_destroy(&world.presence);
}

TestSuite(presence, .init = open_world, .fini = close_world);

static void advance(uint64_t by_ms)
{
    for (uint64_t done = 0; done < by_ms; done += PRESENCE_TICK_MS) {
        world.now.mono_ms += PRESENCE_TICK_MS;
        world.now.wall_ms += PRESENCE_TICK_MS;
        presence_advance(world.presence, world.now);
    }
}

static void book(Hansom__BookingStatus status, uint64_t version)
{
    Hansom__Booking booking = HANSOM__BOOKING__INIT;
    booking.booking_id = "b";
    booking.client_id = "c";
    booking.driver_id = "d";
    booking.status = status;
    booking.version = version;
    presence_booking(world.presence, &booking, world.now);
}

static bool beat_with(Hansom__Availability availability, uint64_t revision)
{
    Hansom__Heartbeat beat = HANSOM__HEARTBEAT__INIT;
    beat.driver_id = "d";
    beat.availability = availability;
    beat.publisher_revision = revision;
    beat.app_state = HANSOM__APP_STATE__APP_STATE_FOREGROUND;
    return presence_heartbeat(world.presence, &beat, world.now);
}

static void beat(void)
{
    beat_with(HANSOM__AVAILABILITY__AVAILABILITY_AVAILABLE, 0);
}

static void fix(void)
{
    Hansom__Fix position = HANSOM__FIX__INIT;
    Hansom__AcceptedFix accepted = HANSOM__ACCEPTED_FIX__INIT;
    position.lat = 50;
    accepted.driver_id = "d";
    accepted.booking_id = "b";
    accepted.fix = &position;
    presence_fix(world.presence, &accepted, world.now);
}

static void connection(const char *user, Hansom__Role role, const char *session, Hansom__ConnectionEvent event)
{
    Hansom__Connection message = HANSOM__CONNECTION__INIT;
    message.user_id = (char *)user;
    message.role = role;
    message.session_id = (char *)session;
    message.gateway_id = "g";
    message.event = event;
    presence_connection(world.presence, &message, world.now);
}

static void driver_connection(Hansom__ConnectionEvent event)
{
    connection("d", HANSOM__ROLE__ROLE_DRIVER, "s1", event);
}

#define OPENED HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_OPENED
#define LEFT HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_LEFT
#define LOST HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_LOST
#define ONLINE HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_ONLINE
#define LATE HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_LATE
#define OFFLINE HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_OFFLINE
#define IN_PROGRESS HANSOM__BOOKING_STATUS__BOOKING_STATUS_IN_PROGRESS

Test(presence, late_after_one_interval_offline_after_n)
{
    beat();
    cr_assert_eq(world.status, ONLINE);
    advance(X_MS);
    cr_assert_eq(world.status, ONLINE, "within the grace");
    advance(200);
    cr_assert_eq(world.status, LATE);
    advance(N * X_MS - X_MS - 200);
    cr_assert_eq(world.status, LATE);
    advance(200);
    cr_assert_eq(world.status, OFFLINE);
    cr_assert_eq(world.reason, HANSOM__PRESENCE_REASON__PRESENCE_REASON_TIMEOUT);
    cr_assert_eq(world.missed, 2);
    advance(60000);
    cr_assert_eq(world.changes, 3, "told once each");
    beat();
    cr_assert_eq(world.status, ONLINE);
    cr_assert_eq(world.reason, HANSOM__PRESENCE_REASON__PRESENCE_REASON_HEARTBEAT);
}

Test(presence, a_position_is_a_sign_of_life)
{
    book(IN_PROGRESS, 1);
    for (int i = 0; i < 20; i++) {
        fix();
        advance(X_MS / 2);
    }
    cr_assert_eq(world.status, ONLINE);
    cr_assert_eq(world.changes, 1);
}

Test(presence, silence_on_a_ride_is_told_with_its_cause_and_its_end)
{
    book(IN_PROGRESS, 1);
    driver_connection(OPENED);
    presence_gateway_alive(world.presence, "g", world.now);
    fix();
    for (int i = 0; i < 5; i++) {
        presence_gateway_alive(world.presence, "g", world.now);
        advance(X_MS);
    }
    cr_assert_eq(world.stale, 1, "once per silence");
    cr_assert_eq(world.cause, HANSOM__STALE_CAUSE__STALE_CAUSE_NO_HEARTBEAT);
    cr_assert(world.had_last);
    cr_assert_eq(world.offline_events, 1);
    beat();
    cr_assert_eq(world.online, 1);
}

Test(presence, beats_without_positions_are_gps_lost)
{
    book(IN_PROGRESS, 1);
    fix();
    for (int i = 0; i < 8; i++) {
        beat();
        advance(X_MS / 2);
    }
    cr_assert_eq(world.status, ONLINE);
    cr_assert_eq(world.stale, 1);
    cr_assert_eq(world.cause, HANSOM__STALE_CAUSE__STALE_CAUSE_GPS_LOST);
    cr_assert_eq(world.online, 0, "a beat does not end it");
    fix();
    cr_assert_eq(world.online, 1);
}

Test(presence, a_cut_connection_names_the_network)
{
    book(IN_PROGRESS, 1);
    driver_connection(OPENED);
    fix();
    driver_connection(LOST);
    advance(5000);
    cr_assert_eq(world.status, OFFLINE);
    cr_assert_eq(world.reason, HANSOM__PRESENCE_REASON__PRESENCE_REASON_TIMEOUT);
    cr_assert_eq(world.cause, HANSOM__STALE_CAUSE__STALE_CAUSE_NETWORK);
    cr_assert_eq(world.left, 1);
    cr_assert_eq(world.left_reason, HANSOM__PRESENCE_REASON__PRESENCE_REASON_TIMEOUT);
}

Test(presence, leaving_is_at_once_and_a_reconnect_is_silent)
{
    book(IN_PROGRESS, 1);
    driver_connection(OPENED);
    beat();
    cr_assert_eq(world.joined, 1);
    driver_connection(LOST);
    advance(200);
    connection("d", HANSOM__ROLE__ROLE_DRIVER, "s2", OPENED);
    advance(700);
    cr_assert_eq(world.left, 0, "back within the grace");
    connection("d", HANSOM__ROLE__ROLE_DRIVER, "s2", LEFT);
    cr_assert_eq(world.status, OFFLINE);
    cr_assert_eq(world.reason, HANSOM__PRESENCE_REASON__PRESENCE_REASON_LEAVE);
    cr_assert_eq(world.left, 1);
}

Test(presence, a_dead_gateway_takes_its_connections_along)
{
    book(IN_PROGRESS, 1);
    driver_connection(OPENED);
    connection("c", HANSOM__ROLE__ROLE_CLIENT, "s9", OPENED);
    for (int i = 0; i < 7; i++) {
        beat();
        advance(500);
    }
    cr_assert_eq(world.status, OFFLINE);
    cr_assert_eq(world.reason, HANSOM__PRESENCE_REASON__PRESENCE_REASON_GATEWAY_LOST);
    cr_assert_eq(world.left, 2);
    cr_assert_eq(presence_connection_count(world.presence), 0);
}

Test(presence, our_own_deafness_is_nobodys_fault)
{
    book(IN_PROGRESS, 1);
    driver_connection(OPENED);
    beat();
    world.now.mono_ms += 60000;
    world.now.wall_ms += 60000;
    presence_was_deaf(world.presence, world.now);
    presence_advance(world.presence, world.now);
    cr_assert_eq(world.status, ONLINE);
    advance(X_MS);
    cr_assert_eq(world.status, ONLINE, "a whole fresh interval");
}

Test(presence, a_checkpoint_gives_a_fresh_interval_and_yields_to_news)
{
    Hansom__PresenceChange checkpoint = HANSOM__PRESENCE_CHANGE__INIT;
    checkpoint.driver_id = "d";
    checkpoint.status = ONLINE;
    checkpoint.availability = HANSOM__AVAILABILITY__AVAILABILITY_AVAILABLE;
    presence_restore(world.presence, &checkpoint, world.now);
    cr_assert_eq(presence_driver_count(world.presence, ONLINE), 1);
    cr_assert_eq(world.changes, 0, "known already");
    advance(X_MS);
    cr_assert_eq(world.changes, 0);
    advance(200);
    cr_assert_eq(world.status, LATE);
    beat();
    checkpoint.status = OFFLINE;
    presence_restore(world.presence, &checkpoint, world.now);
    cr_assert_eq(presence_driver_count(world.presence, ONLINE), 1);
}

Test(presence, a_paused_driver_is_not_watched)
{
    driver_connection(OPENED);
    beat_with(HANSOM__AVAILABILITY__AVAILABILITY_PAUSED, 0);
    for (int i = 0; i < 20; i++) {
        presence_gateway_alive(world.presence, "g", world.now);
        advance(X_MS);
    }
    cr_assert_eq(world.status, ONLINE);
    driver_connection(LOST);
    advance(600);
    cr_assert_eq(world.status, OFFLINE);
}

Test(presence, a_replaced_device_is_not_heard)
{
    cr_assert(beat_with(HANSOM__AVAILABILITY__AVAILABILITY_AVAILABLE, 7));
    cr_assert_not(beat_with(HANSOM__AVAILABILITY__AVAILABILITY_PAUSED, 6));
    cr_assert(beat_with(HANSOM__AVAILABILITY__AVAILABILITY_AVAILABLE, 8));
}

static void watch(uint32_t count)
{
    Hansom__Viewers viewers = HANSOM__VIEWERS__INIT;
    viewers.driver_id = "d";
    viewers.booking_id = "b";
    viewers.gateway_id = "g2";
    viewers.count = count;
    presence_viewers(world.presence, &viewers, world.now);
}

Test(presence, the_policy_follows_the_state)
{
    beat();
    cr_assert_eq(world.why, HANSOM__POLICY_WHY__POLICY_WHY_AVAILABLE);
    book(IN_PROGRESS, 1);
    cr_assert_eq(world.why, HANSOM__POLICY_WHY__POLICY_WHY_ON_BOOKING);
    for (int i = 0; i < 5; i++) {
        beat();
        advance(500);
    }
    cr_assert_eq(world.why, HANSOM__POLICY_WHY__POLICY_WHY_NO_VIEWERS);
    watch(1);
    cr_assert_eq(world.why, HANSOM__POLICY_WHY__POLICY_WHY_ON_BOOKING);
    watch(0);
    cr_assert_eq(world.why, HANSOM__POLICY_WHY__POLICY_WHY_ON_BOOKING, "only after the delay");
    for (int i = 0; i < 5; i++) {
        beat();
        advance(500);
    }
    cr_assert_eq(world.why, HANSOM__POLICY_WHY__POLICY_WHY_NO_VIEWERS);
    unsigned told = world.policies;
    beat();
    cr_assert_eq(world.policies, told, "told only when it changes");
    book(HANSOM__BOOKING_STATUS__BOOKING_STATUS_COMPLETED, 2);
    cr_assert_eq(world.why, HANSOM__POLICY_WHY__POLICY_WHY_AVAILABLE);
}

Test(presence, members_and_bookings)
{
    const char *ids[4];
    Hansom__Members__Member member;
    book(IN_PROGRESS, 2);
    book(HANSOM__BOOKING_STATUS__BOOKING_STATUS_COMPLETED, 1);
    cr_assert_eq(presence_bookings_of(world.presence, "d", ids, 4), 1, "an older version changes nothing");
    cr_assert_str_eq(ids[0], "b");
    cr_assert_not(presence_member(world.presence, "c", &member));
    connection("c", HANSOM__ROLE__ROLE_CLIENT, "s9", OPENED);
    cr_assert(presence_member(world.presence, "c", &member));
    cr_assert_eq(member.role, HANSOM__ROLE__ROLE_CLIENT);
    book(HANSOM__BOOKING_STATUS__BOOKING_STATUS_COMPLETED, 3);
    cr_assert_eq(presence_bookings_of(world.presence, "d", ids, 4), 0);
    presence_forget_partition(world.presence, partition_of("c"));
    cr_assert_not(presence_member(world.presence, "c", &member));
}

static void answer_wake(const char *wake_id)
{
    Hansom__Heartbeat beat = HANSOM__HEARTBEAT__INIT;
    beat.driver_id = "d";
    beat.availability = HANSOM__AVAILABILITY__AVAILABILITY_AVAILABLE;
    beat.wake_id = (char *)wake_id;
    cr_assert(presence_heartbeat(world.presence, &beat, world.now));
}

Test(presence, a_driver_who_goes_offline_on_a_booking_is_woken_once)
{
    book(IN_PROGRESS, 1);
    beat();
    int64_t seen_ms = world.now.wall_ms, said_ms = 0;
    advance(N * X_MS + 200);
    cr_assert_eq(world.status, OFFLINE);
    cr_assert_eq(world.wakes, 1);
    cr_assert_eq(strncmp(world.wake_id, "wake-", 5), 0);
    cr_assert(uuid7_time(world.wake_id + 5, &said_ms), "%s", world.wake_id);
    cr_assert_eq(said_ms, seen_ms);
    advance(60000);
    cr_assert_eq(world.wakes, 1, "not again while the driver stays offline");
    char first[ID_SIZE];
    str_copy(first, sizeof(first), world.wake_id);
    beat();
    advance(N * X_MS + 200);
    cr_assert_eq(world.wakes, 2);
    cr_assert_str_neq(world.wake_id, first);
}

Test(presence, one_wake_for_several_bookings)
{
    Hansom__Booking booking = HANSOM__BOOKING__INIT;
    book(IN_PROGRESS, 1);
    booking.booking_id = "b2";
    booking.client_id = "c";
    booking.driver_id = "d";
    booking.status = IN_PROGRESS;
    booking.version = 1;
    presence_booking(world.presence, &booking, world.now);
    beat();
    advance(N * X_MS + 200);
    cr_assert_eq(world.offline_events, 2);
    cr_assert_eq(world.wakes, 1);
}

Test(presence, without_a_booking_nobody_is_woken)
{
    beat();
    advance(N * X_MS + 200);
    cr_assert_eq(world.status, OFFLINE);
    cr_assert_eq(world.wakes, 0);
}

/* Whoever takes the partition over before the driver was told to be offline says the same; after it, nothing. */
Test(presence, a_wake_has_the_same_id_whoever_tells_it)
{
    char ids[2][ID_SIZE];
    Hansom__PresenceChange checkpoint = HANSOM__PRESENCE_CHANGE__INIT;
    checkpoint.driver_id = "d";
    checkpoint.availability = HANSOM__AVAILABILITY__AVAILABILITY_AVAILABLE;
    checkpoint.last_seen_ms = START_WALL_MS - 1234;
    for (int i = 0; i < 2; i++) {
        close_world();
        open_world();
        world.now.mono_ms += (uint64_t)i * 777;
        world.now.wall_ms += i * 777;
        book(IN_PROGRESS, 1);
        checkpoint.status = ONLINE;
        presence_restore(world.presence, &checkpoint, world.now);
        advance(N * X_MS + 200);
        cr_assert_eq(world.wakes, 1);
        str_copy(ids[i], ID_SIZE, world.wake_id);
    }
    cr_assert_str_eq(ids[0], ids[1]);
    close_world();
    open_world();
    book(IN_PROGRESS, 1);
    checkpoint.status = OFFLINE;
    presence_restore(world.presence, &checkpoint, world.now);
    advance(60000);
    cr_assert_eq(world.wakes, 0);
}

Test(presence, a_heartbeat_answers_a_wake_once)
{
    beat();
    cr_assert_eq(world.answers, 0);
    answer_wake("wake-1");
    answer_wake("wake-1");
    cr_assert_eq(world.answers, 1);
    cr_assert_str_eq(world.answered, "wake-1");
    answer_wake("not an id");
    cr_assert_eq(world.answers, 1);
    answer_wake("wake-2");
    cr_assert_eq(world.answers, 2);
}
