#include "core/announcements.h"

#include <stdio.h>

#include "proto/subjects.h"
#include "wire/wire.h"

static struct announcement *add(struct announcements *list)
{
    ASSERT(list->count < ANNOUNCEMENTS_MAX);
    struct announcement *item = &list->items[list->count++];
    strbuf_init(&item->payload, 256);
    return item;
}

void announcements_add_event(struct announcements *list, const Hansom__UserEvent *event)
{
    struct announcement *item = add(list);
    snprintf(item->subject, sizeof(item->subject), SUBJECT_IN_EVENTS, event->user_id);
    snprintf(item->message_id, sizeof(item->message_id), "%s.%s", event->user_id, event->event_id);
    MESSAGE_PACK(&item->payload, event);
}

/* The booking's id may be as long as an event's may be: its hash stands for it. */
static void event_id(char text[ID_SIZE], const char *what, const struct booking *booking, const char *user_id)
{
    snprintf(text, ID_SIZE, "%s-%016llx-%llu-%08x", what,
             (unsigned long long)hash_fnv1a64(booking->booking_id, strlen(booking->booking_id)),
             (unsigned long long)booking->version, (unsigned)hash_fnv1a64(user_id, strlen(user_id)));
}

static void write_data(struct strbuf *out, const struct booking *former, const struct booking *next, bool has_driver)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_kv_string(&json, "booking_id", next->booking_id);
    json_kv_string(&json, "status", booking_status_text(next->status));
    if (former != NULL)
        json_kv_string(&json, "previous_status", booking_status_text(former->status));
    if (has_driver)
        json_kv_string(&json, "driver_id", *next->driver_id == '\0' ? NULL : next->driver_id);
    json_end_object(&json);
}

static void tell(struct announcements *list, const char *type, const char *user_id, const struct booking *former,
                 const struct booking *next, int64_t expires_at_ms)
{
    if (*user_id == '\0')
        return;
    bool is_offer = str_equal(type, "assignment_offer");
    char id[ID_SIZE];
    struct strbuf data;
    strbuf_init(&data, 160);
    write_data(&data, former, next, !str_equal(type, "assignment_withdrawn"));
    event_id(id, is_offer ? "offer" : *type == 'a' ? "withdrawn" : "status", next, user_id);
    Hansom__UserEvent event = HANSOM__USER_EVENT__INIT;
    event.user_id = (char *)user_id;
    event.event_id = id;
    event.type = (char *)type;
    event.data_json = data.data;
    event.critical = is_offer || *type == 'a' || next->status == HANSOM__BOOKING_STATUS__BOOKING_STATUS_CANCELLED;
    event.created_at_ms = next->updated_at_ms;
    event.expires_at_ms = expires_at_ms;
    event.collapse_key = (char *)next->booking_id;
    announcements_add_event(list, &event);
    strbuf_finish(&data);
}

static void say_in_chat(struct announcements *list, const struct booking *next)
{
    char id[CHAT_ITEM_ID_SIZE];
    snprintf(id, sizeof(id), "status.%llu", (unsigned long long)next->version);
    Hansom__ChatItem item = HANSOM__CHAT_ITEM__INIT;
    item.booking_id = (char *)next->booking_id;
    item.kind = HANSOM__CHAT_KIND__CHAT_KIND_SYSTEM;
    item.message_id = id;
    item.sent_at_ms = next->updated_at_ms;
    item.event = HANSOM__CHAT_EVENT__CHAT_EVENT_STATUS_CHANGED;
    item.status = next->status;
    item.booking_created_at_ms = next->created_at_ms;
    item.client_id = (char *)next->client_id;
    item.driver_id = (char *)next->driver_id;
    struct announcement *announcement = add(list);
    snprintf(announcement->subject, sizeof(announcement->subject), SUBJECT_IN_CHAT, next->booking_id);
    snprintf(announcement->message_id, sizeof(announcement->message_id), "%s.%s", next->booking_id, id);
    MESSAGE_PACK(&announcement->payload, &item);
}

void announcements_init(struct announcements *list, const struct booking *former, const struct booking *next,
                        int64_t offer_ttl_ms)
{
    *list = (struct announcements){0};
    const char *former_driver = former == NULL ? "" : former->driver_id;
    bool is_new_driver = !str_equal(former_driver, next->driver_id);
    bool is_new_status = former != NULL && former->status != next->status;
    bool is_over = booking_status_is_ended(next->status);
    if (is_new_status) {
        say_in_chat(list, next);
        tell(list, "booking_status_changed", next->client_id, former, next, 0);
        tell(list, "booking_status_changed", next->driver_id, former, next, 0);
    }
    /* Who comes is news for the client, unless nobody has taken the ride yet. */
    if (former != NULL && is_new_driver && !is_new_status && !is_over &&
        next->status != HANSOM__BOOKING_STATUS__BOOKING_STATUS_REQUESTED)
        tell(list, "booking_status_changed", next->client_id, former, next, 0);
    if (is_new_driver) {
        tell(list, "assignment_withdrawn", former_driver, former, next, 0);
        if (!is_over)
            tell(list, "assignment_offer", next->driver_id, former, next,
                 offer_ttl_ms == 0 ? 0 : next->updated_at_ms + offer_ttl_ms);
    }
}

void announcements_finish(struct announcements *list)
{
    for (size_t i = 0; i < list->count; i++)
        strbuf_finish(&list->items[i].payload);
    list->count = 0;
}
