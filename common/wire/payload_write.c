#include <cjson/cJSON.h>

#include "base/utf8.h"
#include "wire/wire.h"

#define DEGREE_DECIMALS 7
#define MEASURE_DECIMALS 2

void location_write(struct json_writer *json, const char *booking_id, const char *driver_id, const Hansom__Fix *fix)
{
    json_begin_object(json);
    json_kv_string(json, "type", "driver_location_update");
    json_kv_string(json, "booking_id", booking_id);
    json_kv_string(json, "driver_id", driver_id);
    json_kv_double(json, "lat", fix->lat, DEGREE_DECIMALS);
    json_kv_double(json, "lng", fix->lng, DEGREE_DECIMALS);
    if (fix->has_bearing)
        json_kv_double(json, "bearing", fix->bearing, MEASURE_DECIMALS);
    if (fix->has_speed_kmh)
        json_kv_double(json, "speed_kmh", fix->speed_kmh, MEASURE_DECIMALS);
    json_kv_time(json, "timestamp", fix->timestamp_ms);
    if (fix->has_accuracy_m)
        json_kv_double(json, "accuracy_m", fix->accuracy_m, MEASURE_DECIMALS);
    json_end_object(json);
}

static void stale_write(struct json_writer *json, const Hansom__TrackingItem *item)
{
    json_begin_object(json);
    json_kv_string(json, "type", "driver_stale");
    json_kv_string(json, "booking_id", item->booking_id);
    json_kv_string(json, "driver_id", item->driver_id);
    json_kv_int(json, "age_ms", item->stale->age_ms);
    json_kv_string(json, "cause", stale_cause_text(item->stale->cause));
    if (item->stale->last != NULL) {
        json_key(json, "last");
        json_begin_object(json);
        json_kv_double(json, "lat", item->stale->last->lat, DEGREE_DECIMALS);
        json_kv_double(json, "lng", item->stale->last->lng, DEGREE_DECIMALS);
        json_kv_time(json, "timestamp", item->stale->last->timestamp_ms);
        json_end_object(json);
    }
    json_end_object(json);
}

static void online_write(struct json_writer *json, const Hansom__TrackingItem *item)
{
    json_begin_object(json);
    json_kv_string(json, "type", "driver_online");
    json_kv_string(json, "booking_id", item->booking_id);
    json_kv_string(json, "driver_id", item->driver_id);
    json_kv_time(json, "timestamp", item->online->at_ms);
    json_end_object(json);
}

void tracking_item_write(struct json_writer *json, const Hansom__TrackingItem *item)
{
    switch (item->item_case) {
    case HANSOM__TRACKING_ITEM__ITEM_LOCATION:
        location_write(json, item->booking_id, item->driver_id, item->location);
        break;
    case HANSOM__TRACKING_ITEM__ITEM_STALE:
        stale_write(json, item);
        break;
    case HANSOM__TRACKING_ITEM__ITEM_ONLINE:
        online_write(json, item);
        break;
    case HANSOM__TRACKING_ITEM__ITEM__NOT_SET:
    default:
        json_null(json); /* from a newer version of a service */
        break;
    }
}

void presence_change_write(struct json_writer *json, const Hansom__PresenceChange *change)
{
    json_begin_object(json);
    json_kv_string(json, "type", "presence_changed");
    json_kv_string(json, "driver_id", change->driver_id);
    json_kv_string(json, "status", presence_status_text(change->status));
    if (availability_text(change->availability) != NULL)
        json_kv_string(json, "availability", availability_text(change->availability));
    json_kv_string(json, "reason", presence_reason_text(change->reason));
    json_kv_time(json, "last_seen", change->last_seen_ms);
    json_end_object(json);
}

void participant_change_write(struct json_writer *json, const Hansom__ParticipantChange *change)
{
    json_begin_object(json);
    json_kv_string(json, "type", change->joined ? "participant_joined" : "participant_left");
    json_kv_string(json, "booking_id", change->booking_id);
    json_kv_string(json, "user_id", change->user_id);
    json_kv_string(json, "role", role_text(change->role));
    if (!change->joined)
        json_kv_string(json, "reason", presence_reason_text(change->reason));
    json_kv_time(json, "at", change->at_ms);
    json_end_object(json);
}

void members_write(struct json_writer *json, const Hansom__Members *members)
{
    json_begin_array(json);
    for (size_t i = 0; i < members->n_members; i++) {
        const Hansom__Members__Member *member = members->members[i];
        json_begin_object(json);
        json_kv_string(json, "user_id", member->user_id);
        json_kv_string(json, "role", role_text(member->role));
        json_kv_time(json, "since", member->since_ms);
        if (presence_status_text(member->status) != NULL)
            json_kv_string(json, "status", presence_status_text(member->status));
        json_end_object(json);
    }
    json_end_array(json);
}

static bool is_our_field(const char *name)
{
    static const char *const ours[] = {"type", "event_id", "created_at", "expires_at"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (str_equal(name, ours[i]))
            return true;
    return false;
}

/* Whoever may publish wrote it, and protobuf-c looks at no string: what is no UTF-8 would end every connection that it
 * is written to. */
static const char *text_or_empty(const char *text)
{
    return utf8_is_valid(text, strlen(text)) ? text : "";
}

static void event_data_write(struct json_writer *json, const char *data_json)
{
    cJSON *data = cJSON_Parse(text_or_empty(data_json));
    const cJSON *field;
    cJSON_ArrayForEach(field, data)
    {
        if (field->string == NULL || is_our_field(field->string))
            continue;
        char *text = cJSON_PrintUnformatted(field);
        json_key(json, field->string);
        json_raw(json, text, strlen(text));
        cJSON_free(text);
    }
    cJSON_Delete(data);
}

void user_event_write(struct json_writer *json, const Hansom__UserEvent *event)
{
    json_begin_object(json);
    json_kv_string(json, "type", text_or_empty(event->type));
    event_data_write(json, event->data_json);
    json_kv_string(json, "event_id", text_or_empty(event->event_id));
    json_kv_time(json, "created_at", event->created_at_ms);
    if (event->expires_at_ms > 0)
        json_kv_time(json, "expires_at", event->expires_at_ms);
    json_end_object(json);
}

void user_event_tombstone_write(struct json_writer *json, const Hansom__UserEvent *event)
{
    json_begin_object(json);
    json_kv_string(json, "type", "expired");
    json_kv_string(json, "event_id", text_or_empty(event->event_id));
    json_kv_string(json, "expired_type", text_or_empty(event->type));
    json_kv_time(json, "expires_at", event->expires_at_ms);
    json_end_object(json);
}

void policy_fields_write(struct json_writer *json, const Hansom__DriverPolicy *policy)
{
    json_kv_uint(json, "heartbeat_interval_ms", policy->heartbeat_interval_ms);
    json_kv_double(json, "max_updates_per_second", policy->max_updates_per_second, 3);
    json_kv_uint(json, "missed_limit", policy->missed_limit);
    json_kv_string(json, "why", policy_why_text(policy->why));
}
