#ifndef HANSOM_PRESENCE_PRIV_H
#define HANSOM_PRESENCE_PRIV_H
/* Shared by the files of the core only. */
#include "base/hashmap.h"
#include "base/timer_wheel.h"
#include "presence_core.h"

#define STATUS_COUNT 4

/* A live booking in the list of one of its users. */
struct link {
    struct list_node node;
    struct booking *booking;
};

struct booking {
    Hansom__Booking *record;
    struct link client, driver;
};

struct user_bookings {
    struct list_node links;
};

struct connection {
    struct list_node of_person, of_gateway;
    struct person *person;
    char session_id[ID_SIZE];
};

struct gateway {
    char id[ID_SIZE];
    uint64_t heard_ms;
    struct list_node connections;
};

struct viewers {
    struct list_node node;
    char gateway_id[ID_SIZE], booking_id[ID_SIZE];
    uint32_t count;
    uint64_t said_ms;
};

struct driver {
    Hansom__PresenceStatus status;
    Hansom__Availability availability;
    Hansom__PowerMode power_mode;
    Hansom__AppState app_state;
    bool has_battery_pct;
    uint32_t battery_pct;
    uint64_t publisher_revision;
    uint64_t beat_ms; /* monotonic: of the last sign of life, or since when one is expected */
    int64_t seen_wall_ms;
    bool is_beat_known; /* a sign of life was really received */
    bool is_connection_cut;
    uint64_t fix_ms; /* monotonic, 0 = none */
    int64_t fix_wall_ms;
    bool has_fix;
    Hansom__Fix fix;
    bool is_stale_told, is_gps_stale, is_wake_told;
    uint64_t answered_wake; /* hash of its id; 0: none */
    struct wheel_timer watch, gps, viewers_gone;
    struct list_node viewers;
    bool is_unwatched; /* nobody has watched for the delay */
    Hansom__PolicyWhy told_why;
};

struct person {
    struct presence *presence;
    char id[ID_SIZE];
    Hansom__Role role;
    struct list_node connections;
    bool is_present; /* as its bookings were told */
    int64_t since_wall_ms;
    struct wheel_timer away;
    Hansom__PresenceReason away_reason;
    struct driver *driver; /* NULL: not one */
};

struct presence {
    const struct presence_rules *rules;
    const struct presence_output *output;
    void *context;
    struct presence_now now; /* of the event being handled */
    struct timer_wheel *wheel;
    struct hashmap *people, *gateways, *bookings, *bookings_by_user;
    size_t by_status[STATUS_COUNT], connection_count;
};

typedef void link_cb(struct person *person, const Hansom__Booking *booking);
/* Each live booking of the person. */
void person_each_booking(struct person *person, link_cb *callback);
struct person *person_get(struct presence *presence, const char *id, Hansom__Role role);
struct person *person_find(const struct presence *presence, const char *id);
void person_free(struct person *person);

/* presence_driver.c */
struct driver *driver_create(struct person *person);
void driver_free(struct person *person);
/* A sign of life was received. */
void driver_alive(struct person *person);
/* Starts or stops the timers after anything that they depend on changed. */
void driver_rearm(struct person *person);
void driver_offline(struct person *person, Hansom__PresenceReason reason);
bool driver_is_monitored(const struct person *person);
void driver_update_policy(struct person *person);
void driver_viewers_changed(struct person *person);

/* presence_people.c */
void people_told_joined(struct person *person, const Hansom__Booking *booking);
void gateway_lost(struct presence *presence, struct gateway *gateway);

#endif
