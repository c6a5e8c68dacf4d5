#ifndef HANSOM_PRESENCE_CORE_H
#define HANSOM_PRESENCE_CORE_H
/*
 * Who is there, and since when not: drivers by their heartbeats, everybody by their connections. Pure: what happened
 * comes in with the time, what is to be told goes out through callbacks. Liveness goes by when things were received,
 * never by the clock of a phone. README.md tells the states.
 */
#include "base/ids.h"
#include "proto/bus.pb-c.h"
#include "proto/policy_settings.h"

struct presence_rules {
    const struct policy_settings *policy;
    uint64_t heartbeat_grace_ms;  /* a beat may be this late before it is missed */
    uint64_t reconnect_grace_ms;  /* a lost connection may come back within this */
    uint64_t gateway_timeout_ms;  /* a gateway silent for this long is dead */
    uint64_t no_viewers_delay_ms; /* nobody watches only after this long */
    uint64_t viewers_ttl_ms;      /* a gateway's count is believed this long */
};

struct presence_now {
    uint64_t mono_ms; /* for timers */
    int64_t wall_ms;  /* for what is told */
};

/* What is given is valid during the call. */
struct presence_output {
    void (*driver_changed)(void *context, const Hansom__PresenceChange *change);
    void (*tracking)(void *context, const Hansom__TrackingItem *item);
    void (*participant)(void *context, const Hansom__ParticipantChange *change);
    void (*policy)(void *context, const Hansom__DriverPolicy *policy);
    /* Went offline while on this live booking. */
    void (*driver_offline)(void *context, const Hansom__Booking *booking, const Hansom__PresenceChange *change);
    /* Once for each time that a driver on at least one live booking (one of them is given) goes offline. The id is the
     * same whoever tells it. */
    void (*driver_wake)(void *context, const Hansom__Booking *booking, const Hansom__PresenceChange *change,
                        const char *wake_id);
    /* The first heartbeat that names this wake. */
    void (*wake_answered)(void *context, const char *driver_id, const char *wake_id, int64_t at_ms);
    void (*missed)(void *context); /* one missed heartbeat, for counting */
};

struct presence;

/* rules, output and context must outlive it. */
struct presence *presence_create(const struct presence_rules *rules, const struct presence_output *output,
                                 void *context, struct presence_now now);
void presence_destroy(struct presence **presence);

/* Bookings of all partitions, as they are read and as they change. */
void presence_booking(struct presence *presence, const Hansom__Booking *booking, struct presence_now now);
/* Of users whose partition is held here: */
void presence_connection(struct presence *presence, const Hansom__Connection *event, struct presence_now now);
/* False: from a device that was replaced, ignored. */
bool presence_heartbeat(struct presence *presence, const Hansom__Heartbeat *beat, struct presence_now now);
void presence_fix(struct presence *presence, const Hansom__AcceptedFix *fix, struct presence_now now);
void presence_viewers(struct presence *presence, const Hansom__Viewers *viewers, struct presence_now now);
/* What a former owner of the partition knew of a driver; a driver that was online gets a whole fresh interval. */
void presence_restore(struct presence *presence, const Hansom__PresenceChange *checkpoint, struct presence_now now);
void presence_gateway_alive(struct presence *presence, const char *gateway_id, struct presence_now now);
/* We did not hear for a while: nobody is late or dead for that. */
void presence_was_deaf(struct presence *presence, struct presence_now now);
void presence_forget_partition(struct presence *presence, uint32_t partition);
/* Runs timers; call every presence_tick_ms at least. */
void presence_advance(struct presence *presence, struct presence_now now);
#define PRESENCE_TICK_MS 50

/* 0 or 1 member; strings belong to the presence. */
bool presence_member(const struct presence *presence, const char *user_id, Hansom__Members__Member *member_r);
/* Ids of the live bookings of a user, into an array of `max`; returns how many. */
size_t presence_bookings_of(const struct presence *presence, const char *user_id, const char **ids_r, size_t max);
size_t presence_gateway_count(const struct presence *presence);
/* Drivers with this status. */
size_t presence_driver_count(const struct presence *presence, Hansom__PresenceStatus status);
size_t presence_connection_count(const struct presence *presence);
/* The policy of a state, as the settings have it. */
void presence_policy_of(const struct policy_settings *settings, Hansom__PolicyWhy why, Hansom__DriverPolicy *policy_r);

#endif
