/* Connections, gateways, bookings: who is there at all. */
#include "presence_priv.h"

#define WHEEL_SLOTS 4096

#define LEAVE HANSOM__PRESENCE_REASON__PRESENCE_REASON_LEAVE
#define TIMEOUT HANSOM__PRESENCE_REASON__PRESENCE_REASON_TIMEOUT
#define GATEWAY_LOST HANSOM__PRESENCE_REASON__PRESENCE_REASON_GATEWAY_LOST
#define SUPERSEDED HANSOM__PRESENCE_REASON__PRESENCE_REASON_SUPERSEDED

struct presence *presence_create(const struct presence_rules *rules, const struct presence_output *output,
                                 void *context, struct presence_now now)
{
    struct presence *presence = mem_alloc(sizeof(*presence));
    presence->rules = rules;
    presence->output = output;
    presence->context = context;
    presence->now = now;
    presence->wheel = timer_wheel_create(now.mono_ms, PRESENCE_TICK_MS, WHEEL_SLOTS);
    presence->people = hashmap_create();
    presence->gateways = hashmap_create();
    presence->bookings = hashmap_create();
    presence->bookings_by_user = hashmap_create();
    return presence;
}

/* --- bookings ----------------------------------------------------------------------------------------------------- */

static struct user_bookings *bookings_of(struct presence *presence, const char *user_id)
{
    struct user_bookings *found = hashmap_get(presence->bookings_by_user, user_id);
    if (found == NULL) {
        found = mem_alloc(sizeof(*found));
        list_init(&found->links);
        hashmap_set(presence->bookings_by_user, user_id, found);
    }
    return found;
}

static void unlink_user(struct presence *presence, struct link *link, const char *user_id)
{
    struct user_bookings *user = *user_id == '\0' ? NULL : hashmap_get(presence->bookings_by_user, user_id);
    list_remove(&link->node);
    if (user != NULL && list_is_empty(&user->links)) {
        hashmap_remove(presence->bookings_by_user, user_id);
        mem_free(user);
    }
}

static void link_user(struct presence *presence, struct booking *booking, struct link *link, const char *user_id)
{
    link->booking = booking;
    if (*user_id != '\0')
        list_append(&bookings_of(presence, user_id)->links, &link->node);
}

static void booking_free(struct presence *presence, struct booking *booking)
{
    unlink_user(presence, &booking->client, booking->record->client_id);
    unlink_user(presence, &booking->driver, booking->record->driver_id);
    hashmap_remove(presence->bookings, booking->record->booking_id);
    hansom__booking__free_unpacked(booking->record, NULL);
    mem_free(booking);
}

size_t presence_bookings_of(const struct presence *presence, const char *user_id, const char **ids_r, size_t max)
{
    const struct user_bookings *user = hashmap_get(presence->bookings_by_user, user_id);
    size_t count = 0;
    if (user == NULL)
        return 0;
    LIST_EACH(&user->links, node)
    if (count < max)
        ids_r[count++] = CONTAINER_OF(node, struct link, node)->booking->record->booking_id;
    return count;
}

void person_each_booking(struct person *person, link_cb *callback)
{
    struct user_bookings *user = hashmap_get(person->presence->bookings_by_user, person->id);
    if (user == NULL)
        return;
    LIST_EACH_SAFE(&user->links, node, following)
    callback(person, CONTAINER_OF(node, struct link, node)->booking->record);
}

static Hansom__Booking *copy_record(const Hansom__Booking *record)
{
    size_t size = hansom__booking__get_packed_size(record);
    uint8_t *bytes = mem_alloc(size + 1);
    hansom__booking__pack(record, bytes);
    Hansom__Booking *copy = hansom__booking__unpack(NULL, size, bytes);
    mem_free(bytes);
    return copy;
}

/* A user for whom the booking is new, or no longer there. */
static void user_affected(struct presence *presence, const char *user_id, const Hansom__Booking *joined)
{
    struct person *person = person_find(presence, user_id);
    if (person == NULL)
        return;
    if (person->is_present && joined != NULL)
        people_told_joined(person, joined);
    if (person->driver == NULL)
        return;
    if (joined != NULL) {
        /* From now on signs of life are expected; the first one has a whole interval. */
        if (person->driver->status != HANSOM__PRESENCE_STATUS__PRESENCE_STATUS_LATE)
            person->driver->beat_ms = presence->now.mono_ms;
        person->driver->is_unwatched = false;
    }
    driver_viewers_changed(person);
}

void presence_booking(struct presence *presence, const Hansom__Booking *record, struct presence_now now)
{
    presence->now = now;
    struct booking *known = hashmap_get(presence->bookings, record->booking_id);
    if (known != NULL && record->version < known->record->version)
        return;
    char old_client[ID_SIZE] = "", old_driver[ID_SIZE] = "";
    if (known != NULL) {
        str_copy(old_client, sizeof(old_client), known->record->client_id);
        str_copy(old_driver, sizeof(old_driver), known->record->driver_id);
        booking_free(presence, known);
    }
    bool is_live = record->status >= HANSOM__BOOKING_STATUS__BOOKING_STATUS_REQUESTED &&
                   record->status <= HANSOM__BOOKING_STATUS__BOOKING_STATUS_IN_PROGRESS;
    const Hansom__Booking *joined = NULL;
    if (is_live) {
        struct booking *booking = mem_alloc(sizeof(*booking));
        booking->record = copy_record(record);
        hashmap_set(presence->bookings, record->booking_id, booking);
        link_user(presence, booking, &booking->client, booking->record->client_id);
        link_user(presence, booking, &booking->driver, booking->record->driver_id);
        joined = booking->record;
    }
    user_affected(presence, record->client_id, str_equal(old_client, record->client_id) ? NULL : joined);
    user_affected(presence, record->driver_id, str_equal(old_driver, record->driver_id) ? NULL : joined);
    if (*old_driver != '\0' && !str_equal(old_driver, record->driver_id))
        user_affected(presence, old_driver, NULL);
}

/* --- people ------------------------------------------------------------------------------------------------------- */

struct person *person_find(const struct presence *presence, const char *id)
{
    return hashmap_get(presence->people, id);
}

struct person *person_get(struct presence *presence, const char *id, Hansom__Role role)
{
    struct person *person = person_find(presence, id);
    if (person == NULL) {
        person = mem_alloc(sizeof(*person));
        person->presence = presence;
        str_copy(person->id, sizeof(person->id), id);
        list_init(&person->connections);
        hashmap_set(presence->people, person->id, person);
    }
    person->role = role;
    if (role == HANSOM__ROLE__ROLE_DRIVER && person->driver == NULL)
        person->driver = driver_create(person);
    return person;
}

static void connection_free(struct connection *connection)
{
    connection->person->presence->connection_count--;
    list_remove(&connection->of_person);
    list_remove(&connection->of_gateway);
    mem_free(connection);
}

void person_free(struct person *person)
{
    timer_wheel_stop(person->presence->wheel, &person->away);
    driver_free(person);
    while (!list_is_empty(&person->connections))
        connection_free(CONTAINER_OF(person->connections.next, struct connection, of_person));
    hashmap_remove(person->presence->people, person->id);
    mem_free(person);
}

static void tell_participant(struct person *person, const Hansom__Booking *booking, bool is_joined)
{
    Hansom__ParticipantChange change = HANSOM__PARTICIPANT_CHANGE__INIT;
    change.booking_id = booking->booking_id;
    change.user_id = person->id;
    change.role = person->role;
    change.joined = is_joined;
    change.reason = is_joined ? 0 : person->away_reason;
    change.at_ms = person->presence->now.wall_ms;
    person->presence->output->participant(person->presence->context, &change);
}

void people_told_joined(struct person *person, const Hansom__Booking *booking)
{
    tell_participant(person, booking, true);
}

static void told_left(struct person *person, const Hansom__Booking *booking)
{
    tell_participant(person, booking, false);
}

static void come(struct person *person)
{
    timer_wheel_stop(person->presence->wheel, &person->away);
    if (person->is_present)
        return;
    person->is_present = true;
    person->since_wall_ms = person->presence->now.wall_ms;
    person_each_booking(person, people_told_joined);
    if (person->driver != NULL && !person->driver->is_beat_known)
        person->driver->beat_ms = person->presence->now.mono_ms;
}

/* The last connection is gone for good. */
static void go(struct person *person, Hansom__PresenceReason reason)
{
    person->away_reason = reason;
    if (person->is_present) {
        person->is_present = false;
        person_each_booking(person, told_left);
    }
    if (person->driver != NULL && person->driver->status != 0 && (reason != TIMEOUT || !driver_is_monitored(person)))
        driver_offline(person, reason); /* a monitored driver's silence is its heartbeats' affair */
    if (person->driver == NULL)
        person_free(person);
}

static void on_away(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct person *person = context;
    if (list_is_empty(&person->connections))
        go(person, person->away_reason);
}

static void lose_connection(struct connection *connection, Hansom__PresenceReason reason)
{
    struct person *person = connection->person;
    struct presence *presence = person->presence;
    connection_free(connection);
    if (!list_is_empty(&person->connections))
        return;
    if (person->driver != NULL)
        person->driver->is_connection_cut = reason != LEAVE;
    if (reason == LEAVE || reason == GATEWAY_LOST) {
        go(person, reason);
        return;
    }
    person->away_reason = reason;
    timer_wheel_start(presence->wheel, &person->away, presence->now.mono_ms + presence->rules->reconnect_grace_ms,
                      on_away, person);
}

static struct connection *find_connection(struct person *person, const char *session_id)
{
    LIST_EACH(&person->connections, node)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, of_person);
        if (str_equal(connection->session_id, session_id))
            return connection;
    }
    return NULL;
}

/* --- gateways ----------------------------------------------------------------------------------------------------- */

static struct gateway *gateway_get(struct presence *presence, const char *id)
{
    struct gateway *gateway = hashmap_get(presence->gateways, id);
    if (gateway == NULL) {
        gateway = mem_alloc(sizeof(*gateway));
        str_copy(gateway->id, sizeof(gateway->id), id);
        list_init(&gateway->connections);
        hashmap_set(presence->gateways, gateway->id, gateway);
    }
    gateway->heard_ms = presence->now.mono_ms;
    return gateway;
}

void presence_gateway_alive(struct presence *presence, const char *gateway_id, struct presence_now now)
{
    presence->now = now;
    gateway_get(presence, gateway_id);
}

static void drop_gateway_viewers(void *context, const char *key, void *value)
{
    (void)key;
    struct person *person = value;
    if (person->driver == NULL)
        return;
    LIST_EACH(&person->driver->viewers, node)
    {
        struct viewers *viewers = CONTAINER_OF(node, struct viewers, node);
        if (str_equal(viewers->gateway_id, context))
            viewers->count = 0;
    }
}

void gateway_lost(struct presence *presence, struct gateway *gateway)
{
    while (!list_is_empty(&gateway->connections))
        lose_connection(CONTAINER_OF(gateway->connections.next, struct connection, of_gateway), GATEWAY_LOST);
    hashmap_each(presence->people, drop_gateway_viewers, gateway->id);
    hashmap_remove(presence->gateways, gateway->id);
    mem_free(gateway);
}

static void check_gateway(void *context, const char *key, void *value)
{
    (void)key;
    struct presence *presence = context;
    struct gateway *gateway = value;
    if (presence->now.mono_ms - gateway->heard_ms > presence->rules->gateway_timeout_ms)
        gateway_lost(presence, gateway);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void open_connection(struct presence *presence, const Hansom__Connection *event)
{
    struct person *person = person_get(presence, event->user_id, event->role);
    if (find_connection(person, event->session_id) == NULL) {
        struct connection *connection = mem_alloc(sizeof(*connection));
        connection->person = person;
        str_copy(connection->session_id, sizeof(connection->session_id), event->session_id);
        list_append(&person->connections, &connection->of_person);
        list_append(&gateway_get(presence, event->gateway_id)->connections, &connection->of_gateway);
        presence->connection_count++;
    }
    if (person->driver != NULL && event->publisher_revision > person->driver->publisher_revision)
        person->driver->publisher_revision = event->publisher_revision;
    come(person);
    if (person->driver != NULL)
        driver_rearm(person);
}

static void close_connection(struct presence *presence, const Hansom__Connection *event)
{
    struct person *person = person_find(presence, event->user_id);
    struct connection *connection = person == NULL ? NULL : find_connection(person, event->session_id);
    if (connection == NULL)
        return;
    lose_connection(connection, event->event == HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_LEFT         ? LEAVE
                                : event->event == HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_SUPERSEDED ? SUPERSEDED
                                                                                                        : TIMEOUT);
}

void presence_connection(struct presence *presence, const Hansom__Connection *event, struct presence_now now)
{
    presence->now = now;
    switch (event->event) {
    case HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_OPENED:
    case HANSOM__CONNECTION_EVENT__CONNECTION_EVENT_STILL_OPEN:
        open_connection(presence, event);
        break;
    default:
        close_connection(presence, event);
        break;
    }
}

void presence_advance(struct presence *presence, struct presence_now now)
{
    presence->now = now;
    hashmap_each(presence->gateways, check_gateway, presence);
    timer_wheel_advance(presence->wheel, now.mono_ms);
}

static void fresh_person(void *context, const char *key, void *value)
{
    (void)key;
    struct presence *presence = context;
    struct person *person = value;
    if (person->driver == NULL)
        return;
    person->driver->beat_ms = presence->now.mono_ms;
    if (person->driver->fix_ms != 0)
        person->driver->fix_ms = presence->now.mono_ms;
    driver_rearm(person);
}

static void fresh_gateway(void *context, const char *key, void *value)
{
    (void)key;
    ((struct gateway *)value)->heard_ms = ((struct presence *)context)->now.mono_ms;
}

void presence_was_deaf(struct presence *presence, struct presence_now now)
{
    presence->now = now;
    hashmap_each(presence->gateways, fresh_gateway, presence);
    hashmap_each(presence->people, fresh_person, presence);
}

static void forget_if_in(void *context, const char *key, void *value)
{
    if (partition_of(key) == *(const uint32_t *)context)
        person_free(value);
}

void presence_forget_partition(struct presence *presence, uint32_t partition)
{
    hashmap_each(presence->people, forget_if_in, &partition);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

bool presence_member(const struct presence *presence, const char *user_id, Hansom__Members__Member *member_r)
{
    struct person *person = person_find(presence, user_id);
    if (person == NULL || !person->is_present)
        return false;
    hansom__members__member__init(member_r);
    member_r->user_id = person->id;
    member_r->role = person->role;
    member_r->since_ms = person->since_wall_ms;
    member_r->status = person->driver == NULL ? 0 : person->driver->status;
    return true;
}

size_t presence_gateway_count(const struct presence *presence)
{
    return hashmap_count(presence->gateways);
}

size_t presence_driver_count(const struct presence *presence, Hansom__PresenceStatus status)
{
    ASSERT((size_t)status < STATUS_COUNT);
    return presence->by_status[status];
}

size_t presence_connection_count(const struct presence *presence)
{
    return presence->connection_count;
}

static void free_person(void *context, const char *key, void *value)
{
    (void)context;
    (void)key;
    person_free(value);
}

static void free_gateway(void *context, const char *key, void *value)
{
    (void)context;
    (void)key;
    mem_free(value);
}

static void free_booking(void *context, const char *key, void *value)
{
    (void)key;
    booking_free(context, value);
}

void presence_destroy(struct presence **presence_pointer)
{
    struct presence *presence = *presence_pointer;
    *presence_pointer = NULL;
    if (presence == NULL)
        return;
    hashmap_each(presence->people, free_person, NULL);
    hashmap_each(presence->gateways, free_gateway, NULL);
    hashmap_each(presence->bookings, free_booking, presence);
    hashmap_destroy(&presence->people);
    hashmap_destroy(&presence->gateways);
    hashmap_destroy(&presence->bookings);
    hashmap_destroy(&presence->bookings_by_user);
    timer_wheel_destroy(&presence->wheel);
    mem_free(presence);
}
