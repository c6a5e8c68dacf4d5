/* From what the bus carries to what clients are told, kind by kind. */
#include "channel_items.h"

const char *channel_retained_stream(enum channel_kind kind)
{
    return kind == CHANNEL_TRACKING ? "POSITION" : kind == CHANNEL_DRIVER_PRESENCE ? "PRESENCE" : NULL;
}

static void begin_message(struct json_writer *json, const struct channel_name *name, bool with_op)
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

static bool write_event(struct json_writer *json, const struct bus_message *message)
{
    Hansom__UserEvent *event = hansom__user_event__unpack(NULL, message->length, message->data);
    if (event == NULL)
        return false;
    json_kv_string(json, "epoch", CHANNEL_EVENTS_EPOCH);
    json_kv_uint(json, "seq", message->sequence);
    json_kv_uint(json, "prev", message->last_sequence);
    json_key(json, "data");
    user_event_write(json, event);
    hansom__user_event__free_unpacked(event, NULL);
    return true;
}

static bool write_data(struct json_writer *json, enum channel_kind kind, const struct bus_message *message,
                       struct channel_item *item_r)
{
    switch (kind) {
    case CHANNEL_TRACKING:
        return write_tracking(json, message, item_r);
    case CHANNEL_BOOKING_PRESENCE:
        return write_participant(json, message);
    case CHANNEL_EVENTS:
        return write_event(json, message);
    case CHANNEL_DRIVER_PRESENCE:
        return write_presence(json, message);
    case CHANNEL_CHAT:
    case CHANNEL_HEARTBEAT:
    case CHANNEL_KIND_COUNT:
        break;
    }
    return false;
}

bool channel_item_write(struct strbuf *out, const struct channel_name *name, const struct bus_message *message,
                        struct channel_item *item_r)
{
    struct json_writer json;
    json_writer_init(&json, out);
    *item_r = (struct channel_item){0};
    begin_message(&json, name, true);
    bool is_item = write_data(&json, name->kind, message, item_r);
    json_end_object(&json);
    return is_item;
}

static void write_location_message(struct json_writer *json, const struct channel_name *name,
                                   const Hansom__TrackingItem *item, const Hansom__Fix *fix)
{
    begin_message(json, name, false);
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
        begin_message(json, name, false);
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
    struct channel_item ignored;
    begin_message(json, name, false);
    if (!write_data(json, name->kind, message, &ignored))
        json_kv_string(json, "data", NULL);
    json_end_object(json);
}
