#include "channel_items.h"

#include <stdio.h>

#include "base/clock.h"

const char *channel_retained_stream(enum channel_kind kind)
{
    return kind == CHANNEL_TRACKING ? "POSITION" : kind == CHANNEL_DRIVER_PRESENCE ? "PRESENCE" : NULL;
}

const char *channel_history_stream(enum channel_kind kind)
{
    return kind == CHANNEL_CHAT ? "CHAT" : kind == CHANNEL_EVENTS ? "EVENTS" : NULL;
}

void channel_history_subject(const struct channel_name *name, char subject[CHANNEL_SUBJECT_SIZE])
{
    snprintf(subject, CHANNEL_SUBJECT_SIZE, "in.%s", name->text);
}

void channel_write_place(struct json_writer *json, uint64_t epoch, uint64_t sequence, uint64_t previous)
{
    char text[EPOCH_TEXT_SIZE];
    epoch_format(epoch, text);
    json_kv_string(json, "epoch", text);
    json_kv_uint(json, "seq", sequence);
    if (previous != UNKNOWN_SEQUENCE)
        json_kv_uint(json, "prev", previous);
}

void channel_begin_message(struct json_writer *json, const struct channel_name *name, bool with_op)
{
    json_begin_object(json);
    if (with_op)
        json_kv_string(json, "op", "message");
    json_kv_string(json, "channel", name->text);
}

static bool write_tracking(struct json_writer *json, const struct bus_message *message, struct channel_item *item_r)
{
    Hansom__TrackingItem *item = hansom__tracking_item__unpack(NULL, message->length, message->data);
    if (item == NULL)
        return false;
    item_r->is_position = item->item_case == HANSOM__TRACKING_ITEM__ITEM_LOCATION;
    item_r->received_ms = item->received_at_ms;
    json_key(json, "data");
    tracking_item_write(json, item);
    hansom__tracking_item__free_unpacked(item, NULL);
    return true;
}

static bool write_presence(struct json_writer *json, const struct bus_message *message)
{
    Hansom__PresenceChange *change = hansom__presence_change__unpack(NULL, message->length, message->data);
    if (change == NULL)
        return false;
    json_key(json, "data");
    presence_change_write(json, change);
    hansom__presence_change__free_unpacked(change, NULL);
    return true;
}

static bool write_participant(struct json_writer *json, const struct bus_message *message)
{
    Hansom__ParticipantChange *change = hansom__participant_change__unpack(NULL, message->length, message->data);
    if (change == NULL)
        return false;
    json_key(json, "data");
    participant_change_write(json, change);
    hansom__participant_change__free_unpacked(change, NULL);
    return true;
}

static void take_place(struct json_writer *json, uint64_t epoch, const struct bus_message *message,
                       struct channel_item *item_r)
{
    item_r->sequence = message->sequence;
    item_r->previous = message->last_sequence;
    channel_write_place(json, epoch, message->sequence, message->last_sequence);
}

static bool write_event(struct json_writer *json, uint64_t epoch, const struct bus_message *message,
                        struct channel_item *item_r)
{
    Hansom__UserEvent *event = hansom__user_event__unpack(NULL, message->length, message->data);
    if (event == NULL)
        return false;
    take_place(json, epoch, message, item_r);
    json_key(json, "data");
    expiring_write_event(&item_r->expiring, json, event, clock_wall_ms());
    hansom__user_event__free_unpacked(event, NULL);
    return true;
}

/* Marks and typing come without a place: they are no part of the conversation. */
static bool write_chat(struct json_writer *json, uint64_t epoch, const struct bus_message *message,
                       struct channel_item *item_r)
{
    Hansom__ChatItem *item = hansom__chat_item__unpack(NULL, message->length, message->data);
    if (item == NULL)
        return false;
    if (item->kind == HANSOM__CHAT_KIND__CHAT_KIND_TYPING)
        str_copy(item_r->not_for, sizeof(item_r->not_for), item->from_id);
    else if (item->kind != HANSOM__CHAT_KIND__CHAT_KIND_RECEIPT)
        take_place(json, epoch, message, item_r);
    item_r->received_ms = item->sent_at_ms;
    json_key(json, "data");
    chat_item_write(json, item);
    hansom__chat_item__free_unpacked(item, NULL);
    return true;
}

static bool write_data(struct json_writer *json, enum channel_kind kind, uint64_t epoch,
                       const struct bus_message *message, struct channel_item *item_r)
{
    switch (kind) {
    case CHANNEL_TRACKING:
        return write_tracking(json, message, item_r);
    case CHANNEL_BOOKING_PRESENCE:
        return write_participant(json, message);
    case CHANNEL_EVENTS:
        return write_event(json, epoch, message, item_r);
    case CHANNEL_DRIVER_PRESENCE:
        return write_presence(json, message);
    case CHANNEL_CHAT:
        return write_chat(json, epoch, message, item_r);
    case CHANNEL_HEARTBEAT:
    case CHANNEL_KIND_COUNT:
        break;
    }
    return false;
}

bool channel_item_write(struct strbuf *out, const struct channel_name *name, uint64_t epoch,
                        const struct bus_message *message, struct channel_item *item_r)
{
    struct json_writer json;
    json_writer_init(&json, out);
    *item_r = (struct channel_item){0};
    channel_begin_message(&json, name, true);
    bool is_item = write_data(&json, name->kind, epoch, message, item_r);
    json_end_object(&json);
    return is_item;
}

static void write_location_message(struct json_writer *json, const struct channel_name *name,
                                   const Hansom__TrackingItem *item, const Hansom__Fix *fix)
{
    channel_begin_message(json, name, false);
    json_key(json, "data");
    location_write(json, item->booking_id, item->driver_id, fix);
    json_end_object(json);
}

/* The last position always; after it the silence, if that is the last word. */
static void write_retained_tracking(struct json_writer *json, const struct channel_name *name,
                                    const struct bus_message *message)
{
    Hansom__TrackingItem *item = hansom__tracking_item__unpack(NULL, message->length, message->data);
    if (item == NULL)
        return;
    bool is_location = item->item_case == HANSOM__TRACKING_ITEM__ITEM_LOCATION;
    const Hansom__Fix *fix = is_location ? item->location : item->last_location;
    if (fix != NULL)
        write_location_message(json, name, item, fix);
    if (item->item_case == HANSOM__TRACKING_ITEM__ITEM_STALE) {
        channel_begin_message(json, name, false);
        json_key(json, "data");
        tracking_item_write(json, item);
        json_end_object(json);
    }
    hansom__tracking_item__free_unpacked(item, NULL);
}

void channel_write_retained(struct json_writer *json, const struct channel_name *name,
                            const struct bus_message *message)
{
    if (name->kind == CHANNEL_TRACKING) {
        write_retained_tracking(json, name, message);
        return;
    }
    struct channel_item ignored = {0};
    channel_begin_message(json, name, false);
    if (!write_data(json, name->kind, 0, message, &ignored))
        json_kv_string(json, "data", NULL);
    json_end_object(json);
}
