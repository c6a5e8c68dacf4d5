#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <string.h>

#include "core/announcements.h"

#define NOW 1735732800000
#define OFFER_TTL_MS 300000

static struct booking booking(const char *driver_id, Hansom__BookingStatus status, uint64_t version)
{
    struct booking made = {.status = status, .version = version, .created_at_ms = NOW - 1000, .updated_at_ms = NOW};
    str_copy(made.booking_id, ID_SIZE, "b1");
    str_copy(made.client_id, ID_SIZE, "c1");
    str_copy(made.driver_id, ID_SIZE, driver_id);
    return made;
}
#define STATUS(name) HANSOM__BOOKING_STATUS__BOOKING_STATUS_##name

static Hansom__UserEvent *event_at(const struct announcements *list, size_t index)
{
    const struct announcement *item = &list->items[index];
    Hansom__UserEvent *event =
        hansom__user_event__unpack(NULL, item->payload.length, (const uint8_t *)item->payload.data);
    cr_assert_not_null(event);
    return event;
}

/* The event that a user gets of a type; none: NULL. */
static Hansom__UserEvent *find(const struct announcements *list, const char *user_id, const char *type)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i].subject, "in.user.", 8) != 0)
            continue;
        Hansom__UserEvent *event = event_at(list, i);
        if (str_equal(event->user_id, user_id) && str_equal(event->type, type))
            return event;
        hansom__user_event__free_unpacked(event, NULL);
    }
    return NULL;
}

static bool has(const struct announcements *list, const char *user_id, const char *type)
{
    Hansom__UserEvent *event = find(list, user_id, type);
    hansom__user_event__free_unpacked(event, NULL);
    return event != NULL;
}

static bool is_critical(const struct announcements *list, const char *user_id, const char *type)
{
    Hansom__UserEvent *event = find(list, user_id, type);
    cr_assert_not_null(event, "%s gets no %s", user_id, type);
    bool critical = event->critical;
    hansom__user_event__free_unpacked(event, NULL);
    return critical;
}

Test(announcements, a_booking_made_without_a_driver_says_nothing)
{
    struct booking next = booking("", STATUS(REQUESTED), 1);
    struct announcements list;
    announcements_init(&list, NULL, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 0);
    announcements_finish(&list);
}

Test(announcements, a_booking_made_with_a_driver_is_offered)
{
    struct booking next = booking("d1", STATUS(ASSIGNED), 1);
    struct announcements list;
    announcements_init(&list, NULL, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 1);
    cr_assert_str_eq(list.items[0].subject, "in.user.d1.events");
    Hansom__UserEvent *offer = event_at(&list, 0);
    char message_id[ANNOUNCEMENT_ID_SIZE];
    snprintf(message_id, sizeof(message_id), "d1.%s", offer->event_id);
    cr_assert_str_eq(list.items[0].message_id, message_id);
    cr_assert(id_is_valid(offer->event_id, strlen(offer->event_id)), "%s", offer->event_id);
    cr_assert_str_eq(offer->user_id, "d1");
    cr_assert_str_eq(offer->type, "assignment_offer");
    cr_assert(offer->critical);
    cr_assert_eq(offer->created_at_ms, NOW);
    cr_assert_eq(offer->expires_at_ms, NOW + OFFER_TTL_MS);
    cr_assert_str_eq(offer->collapse_key, "b1");
    cr_assert_str_eq(offer->data_json, "{\"booking_id\":\"b1\",\"status\":\"assigned\",\"driver_id\":\"d1\"}");
    hansom__user_event__free_unpacked(offer, NULL);
    announcements_finish(&list);
    announcements_init(&list, NULL, &next, 0);
    offer = event_at(&list, 0);
    cr_assert_eq(offer->expires_at_ms, 0, "0: an offer does not end by itself");
    hansom__user_event__free_unpacked(offer, NULL);
    announcements_finish(&list);
}

Test(announcements, a_booking_made_when_it_is_over_is_not_offered)
{
    struct booking next = booking("d1", STATUS(COMPLETED), 1);
    struct announcements list;
    announcements_init(&list, NULL, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 0);
    announcements_finish(&list);
}

Test(announcements, a_new_status_is_said_to_both_and_in_the_chat)
{
    struct booking former = booking("d1", STATUS(ASSIGNED), 1), next = booking("d1", STATUS(DRIVER_ARRIVED), 2);
    struct announcements list;
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 3);
    cr_assert_not(is_critical(&list, "c1", "booking_status_changed"));
    cr_assert_not(is_critical(&list, "d1", "booking_status_changed"));
    Hansom__UserEvent *event = find(&list, "c1", "booking_status_changed");
    cr_assert_str_eq(event->data_json,
                     "{\"booking_id\":\"b1\",\"status\":\"driver_arrived\",\"previous_status\":\"assigned\","
                     "\"driver_id\":\"d1\"}");
    cr_assert_eq(event->expires_at_ms, 0);
    hansom__user_event__free_unpacked(event, NULL);
    cr_assert_str_eq(list.items[0].subject, "in.booking.b1.chat");
    cr_assert_str_eq(list.items[0].message_id, "b1.status.2");
    Hansom__ChatItem *line =
        hansom__chat_item__unpack(NULL, list.items[0].payload.length, (const uint8_t *)list.items[0].payload.data);
    cr_assert_eq(line->kind, HANSOM__CHAT_KIND__CHAT_KIND_SYSTEM);
    cr_assert_eq(line->status, STATUS(DRIVER_ARRIVED));
    cr_assert_str_eq(line->client_id, "c1");
    cr_assert_str_eq(line->driver_id, "d1");
    hansom__chat_item__free_unpacked(line, NULL);
    announcements_finish(&list);
}

Test(announcements, a_cancellation_is_critical_for_both)
{
    struct booking former = booking("d1", STATUS(IN_PROGRESS), 4), next = booking("d1", STATUS(CANCELLED), 5);
    struct announcements list;
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 3);
    cr_assert(is_critical(&list, "c1", "booking_status_changed"));
    cr_assert(is_critical(&list, "d1", "booking_status_changed"));
    announcements_finish(&list);
    next.status = STATUS(COMPLETED);
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_not(is_critical(&list, "c1", "booking_status_changed"));
    announcements_finish(&list);
}

Test(announcements, another_driver_is_told_to_both_of_them_and_the_client)
{
    struct booking former = booking("d1", STATUS(ASSIGNED), 1), next = booking("d2", STATUS(ASSIGNED), 2);
    struct announcements list;
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 3);
    Hansom__UserEvent *told = find(&list, "c1", "booking_status_changed");
    cr_assert_str_eq(
        told->data_json,
        "{\"booking_id\":\"b1\",\"status\":\"assigned\",\"previous_status\":\"assigned\",\"driver_id\":\"d2\"}");
    hansom__user_event__free_unpacked(told, NULL);
    cr_assert(is_critical(&list, "d1", "assignment_withdrawn"));
    cr_assert(is_critical(&list, "d2", "assignment_offer"));
    Hansom__UserEvent *withdrawn = find(&list, "d1", "assignment_withdrawn");
    cr_assert_null(strstr(withdrawn->data_json, "d2"), "who has it now is not the former driver's to know");
    cr_assert_eq(withdrawn->expires_at_ms, 0);
    hansom__user_event__free_unpacked(withdrawn, NULL);
    announcements_finish(&list);
    former.status = next.status = STATUS(REQUESTED);
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_not(has(&list, "c1", "booking_status_changed"), "nobody has taken the ride yet");
    announcements_finish(&list);
}

Test(announcements, status_and_driver_at_once)
{
    struct booking former = booking("d1", STATUS(DRIVER_EN_ROUTE_PICKUP), 3), next = booking("d2", STATUS(ASSIGNED), 4);
    struct announcements list;
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, ANNOUNCEMENTS_MAX, "the most there can be");
    cr_assert(has(&list, "c1", "booking_status_changed"));
    cr_assert(has(&list, "d2", "booking_status_changed"));
    cr_assert_not(has(&list, "d1", "booking_status_changed"), "it is not the former driver's booking any more");
    cr_assert(has(&list, "d1", "assignment_withdrawn"));
    cr_assert(has(&list, "d2", "assignment_offer"));
    announcements_finish(&list);
}

Test(announcements, taking_the_driver_away_is_told_to_that_one)
{
    struct booking former = booking("d1", STATUS(ASSIGNED), 1), next = booking("", STATUS(REQUESTED), 2);
    struct announcements list;
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 3, "the chat, the client, the driver");
    cr_assert(is_critical(&list, "d1", "assignment_withdrawn"));
    Hansom__UserEvent *event = find(&list, "c1", "booking_status_changed");
    cr_assert_not_null(strstr(event->data_json, "\"driver_id\":null"), "%s", event->data_json);
    hansom__user_event__free_unpacked(event, NULL);
    announcements_finish(&list);
    next.status = STATUS(CANCELLED);
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert(is_critical(&list, "d1", "assignment_withdrawn"));
    cr_assert(is_critical(&list, "c1", "booking_status_changed"));
    announcements_finish(&list);
}

/* Said twice, by whoever, is said once: the ids are those of the change. Another change has others. */
Test(announcements, ids_follow_from_the_change)
{
    struct booking former = booking("d1", STATUS(ASSIGNED), 1), next = booking("d2", STATUS(DRIVER_ARRIVED), 2);
    struct announcements one, again, later;
    announcements_init(&one, &former, &next, OFFER_TTL_MS);
    next.updated_at_ms += 5;
    announcements_init(&again, &former, &next, OFFER_TTL_MS);
    next.version = 3;
    announcements_init(&later, &former, &next, OFFER_TTL_MS);
    cr_assert_eq(one.count, again.count);
    for (size_t i = 0; i < one.count; i++) {
        cr_assert_str_eq(one.items[i].message_id, again.items[i].message_id);
        cr_assert_str_neq(one.items[i].message_id, later.items[i].message_id);
        for (size_t k = 0; k < i; k++)
            cr_assert_str_neq(one.items[i].message_id, one.items[k].message_id);
    }
    announcements_finish(&one);
    announcements_finish(&again);
    announcements_finish(&later);
}

Test(announcements, the_longest_ids_fit)
{
    struct booking former = booking("", STATUS(REQUESTED), UINT64_MAX - 1),
                   next = booking("", STATUS(ASSIGNED), UINT64_MAX);
    memset(next.booking_id, 'b', ID_LENGTH_MAX);
    memset(next.client_id, 'c', ID_LENGTH_MAX);
    memset(next.driver_id, 'd', ID_LENGTH_MAX);
    struct announcements list;
    announcements_init(&list, &former, &next, OFFER_TTL_MS);
    cr_assert_eq(list.count, 4);
    for (size_t i = 1; i < list.count; i++) {
        Hansom__UserEvent *event = event_at(&list, i);
        cr_assert(id_is_valid(event->event_id, strlen(event->event_id)), "%s", event->event_id);
        cr_assert_eq(strlen(list.items[i].message_id), ID_LENGTH_MAX + 1 + strlen(event->event_id));
        hansom__user_event__free_unpacked(event, NULL);
    }
    announcements_finish(&list);
}
