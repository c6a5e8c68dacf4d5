#include <criterion/criterion.h>

#include "acl.h"

enum who { CLIENT, OTHER_CLIENT, DRIVER, OTHER_DRIVER, SUPPORT, ADMIN, WHO_COUNT };
static const struct {
    const char *id;
    Hansom__Role role;
} people[WHO_COUNT] = {
    [CLIENT] = {"c1", HANSOM__ROLE__ROLE_CLIENT},   [OTHER_CLIENT] = {"c2", HANSOM__ROLE__ROLE_CLIENT},
    [DRIVER] = {"d1", HANSOM__ROLE__ROLE_DRIVER},   [OTHER_DRIVER] = {"d2", HANSOM__ROLE__ROLE_DRIVER},
    [SUPPORT] = {"s1", HANSOM__ROLE__ROLE_SUPPORT}, [ADMIN] = {"a1", HANSOM__ROLE__ROLE_ADMIN},
};

#define OK ACL_ALLOWED
#define NO ACL_FORBIDDEN
#define NF ACL_NOT_FOUND
#define END ACL_ENDED
#define NONE HANSOM__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED /* there is no booking */
#define REQUESTED HANSOM__BOOKING_STATUS__BOOKING_STATUS_REQUESTED
#define ASSIGNED HANSOM__BOOKING_STATUS__BOOKING_STATUS_ASSIGNED
#define EN_ROUTE HANSOM__BOOKING_STATUS__BOOKING_STATUS_DRIVER_EN_ROUTE_PICKUP
#define ARRIVED HANSOM__BOOKING_STATUS__BOOKING_STATUS_DRIVER_ARRIVED
#define IN_PROGRESS HANSOM__BOOKING_STATUS__BOOKING_STATUS_IN_PROGRESS
#define COMPLETED HANSOM__BOOKING_STATUS__BOOKING_STATUS_COMPLETED
#define CANCELLED HANSOM__BOOKING_STATUS__BOOKING_STATUS_CANCELLED

struct row {
    const char *channel;
    Hansom__BookingStatus status;
    enum acl_verdict expected[WHO_COUNT]; /* client, other client, driver, other driver, support, admin */
};

typedef enum acl_verdict rule(const struct principal *principal, const struct channel_name *channel,
                              const Hansom__Booking *booking);

static enum acl_verdict ask(rule *may, enum who who, const char *channel_text, Hansom__BookingStatus status,
                            const char *driver_id)
{
    struct principal principal = {.user_id = (char *)people[who].id, .role = (int)people[who].role};
    struct channel_name channel;
    cr_assert(channel_parse(channel_text, strlen(channel_text), &channel), "%s", channel_text);
    Hansom__Booking booking = HANSOM__BOOKING__INIT;
    booking.booking_id = "b1";
    booking.client_id = "c1";
    booking.driver_id = (char *)driver_id;
    booking.status = status;
    return may(&principal, &channel, status == NONE ? NULL : &booking);
}

static void check(rule *may, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (enum who who = 0; who < WHO_COUNT; who++)
            cr_expect_eq(ask(may, who, rows[i].channel, rows[i].status, "d1"), rows[i].expected[who],
                         "%s, booking status %d, user %s", rows[i].channel, (int)rows[i].status, people[who].id);
}

Test(acl, subscribe)
{
    static const struct row rows[] = {
        {"booking.b1.tracking", NONE, {NF, NF, NF, NF, NF, NF}},
        {"booking.b1.tracking", REQUESTED, {OK, NO, OK, NO, OK, OK}},
        {"booking.b1.tracking", ASSIGNED, {OK, NO, OK, NO, OK, OK}},
        {"booking.b1.tracking", IN_PROGRESS, {OK, NO, OK, NO, OK, OK}},
        {"booking.b1.tracking", COMPLETED, {END, NO, END, NO, OK, OK}},
        {"booking.b1.tracking", CANCELLED, {END, NO, END, NO, OK, OK}},
        {"booking.b1.presence", NONE, {NF, NF, NF, NF, NF, NF}},
        {"booking.b1.presence", ARRIVED, {OK, NO, OK, NO, OK, OK}},
        {"booking.b1.presence", COMPLETED, {END, NO, END, NO, OK, OK}},
        {"booking.b1.chat", NONE, {NF, NF, NF, NF, NF, NF}},
        {"booking.b1.chat", EN_ROUTE, {OK, NO, OK, NO, OK, OK}},
        {"booking.b1.chat", COMPLETED, {OK, NO, OK, NO, OK, OK}},
        {"user.c1.events", NONE, {OK, NO, NO, NO, OK, OK}},
        {"user.d1.events", NONE, {NO, NO, OK, NO, OK, OK}},
        {"driver.d1.heartbeat", NONE, {NO, NO, NO, NO, NO, NO}},
        {"driver.d1.presence", NONE, {NO, NO, NO, NO, OK, OK}},
        {"driver.d1.presence", REQUESTED, {END, NO, NO, NO, OK, OK}},
        {"driver.d1.presence", ASSIGNED, {OK, NO, NO, NO, OK, OK}},
        {"driver.d1.presence", IN_PROGRESS, {OK, NO, NO, NO, OK, OK}},
        {"driver.d1.presence", COMPLETED, {END, NO, NO, NO, OK, OK}},
        {"driver.d2.presence", IN_PROGRESS, {NO, NO, NO, NO, OK, OK}},
    };
    check(acl_may_subscribe, rows, ARRAY_LEN(rows));
}

Test(acl, publish)
{
    static const struct row rows[] = {
        {"booking.b1.tracking", NONE, {NF, NF, NF, NF, NF, NF}},
        {"booking.b1.tracking", REQUESTED, {NO, NO, END, NO, NO, NO}},
        {"booking.b1.tracking", ASSIGNED, {NO, NO, END, NO, NO, NO}},
        {"booking.b1.tracking", EN_ROUTE, {NO, NO, OK, NO, NO, NO}},
        {"booking.b1.tracking", ARRIVED, {NO, NO, OK, NO, NO, NO}},
        {"booking.b1.tracking", IN_PROGRESS, {NO, NO, OK, NO, NO, NO}},
        {"booking.b1.tracking", COMPLETED, {NO, NO, END, NO, NO, NO}},
        {"booking.b1.tracking", CANCELLED, {NO, NO, END, NO, NO, NO}},
        {"booking.b1.chat", NONE, {NF, NF, NF, NF, NF, NF}},
        {"booking.b1.chat", ASSIGNED, {OK, NO, OK, NO, OK, OK}},
        {"booking.b1.presence", IN_PROGRESS, {NO, NO, NO, NO, NO, NO}},
        {"driver.d1.heartbeat", NONE, {NO, NO, OK, NO, NO, NO}},
        {"driver.d1.presence", IN_PROGRESS, {NO, NO, NO, NO, NO, NO}},
        {"user.c1.events", NONE, {NO, NO, NO, NO, NO, NO}},
    };
    check(acl_may_publish, rows, ARRAY_LEN(rows));
}

Test(acl, a_chat_is_open_until_the_grace_time_is_over)
{
    Hansom__Booking booking = HANSOM__BOOKING__INIT;
    booking.status = IN_PROGRESS;
    cr_assert(acl_chat_is_open(&booking, 5000, 0));
    booking.status = CANCELLED;
    booking.ended_at_ms = 1000;
    cr_assert(acl_chat_is_open(&booking, 1999, 1000));
    cr_assert_not(acl_chat_is_open(&booking, 2000, 1000));
}

Test(acl, nobody_is_the_driver_of_a_booking_without_one)
{
    struct principal nameless = {.user_id = "", .role = HANSOM__ROLE__ROLE_DRIVER};
    struct channel_name channel;
    cr_assert(channel_parse("booking.b1.tracking", 19, &channel));
    Hansom__Booking booking = HANSOM__BOOKING__INIT;
    booking.client_id = "c1";
    booking.status = REQUESTED;
    cr_assert_eq(acl_may_subscribe(&nameless, &channel, &booking), ACL_FORBIDDEN);
    cr_assert_eq(ask(acl_may_subscribe, DRIVER, "booking.b1.tracking", REQUESTED, ""), ACL_FORBIDDEN);
}

Test(acl, an_id_in_another_role_is_another_user)
{
    struct principal principal = {.user_id = "c1", .role = HANSOM__ROLE__ROLE_DRIVER};
    struct channel_name channel;
    cr_assert(channel_parse("booking.b1.tracking", 19, &channel));
    Hansom__Booking booking = HANSOM__BOOKING__INIT;
    booking.client_id = "c1";
    booking.driver_id = "d1";
    booking.status = IN_PROGRESS;
    cr_assert_eq(acl_may_subscribe(&principal, &channel, &booking), ACL_FORBIDDEN);
    cr_assert_eq(acl_may_publish(&principal, &channel, &booking), ACL_FORBIDDEN);
}

Test(acl, which_kinds_need_the_booking)
{
    static const bool expected[CHANNEL_KIND_COUNT] = {[CHANNEL_TRACKING] = true,
                                                      [CHANNEL_CHAT] = true,
                                                      [CHANNEL_BOOKING_PRESENCE] = true,
                                                      [CHANNEL_DRIVER_PRESENCE] = true};
    for (int kind = 0; kind < CHANNEL_KIND_COUNT; kind++)
        cr_expect_eq(acl_needs_booking((enum channel_kind)kind), expected[kind], "kind %d", kind);
}
