#include "core/event_rules.h"

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/ids.h"
#include "core/json_fields.h"

bool event_type_is_valid(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length >= 1 && length <= ID_LENGTH_MAX && text[length] == '\0';
}

static bool read_expiry(const cJSON *body, int64_t now_ms, Hansom__UserEvent *event, struct field_error *error)
{
    const char *text = NULL;
    if (!field_text(body, "expires_at", FIELD_OPTIONAL, &text, error))
        return false;
    if (text == NULL)
        return true;
    if (!rfc3339_parse(text, strlen(text), &event->expires_at_ms))
        return field_fail(error, "expires_at: must be an RFC 3339 time");
    return event->expires_at_ms > now_ms || field_fail(error, "expires_at: is in the past");
}

static bool read_critical(const cJSON *body, Hansom__UserEvent *event, struct field_error *error)
{
    bool is_critical = false;
    bool is_good = field_bool(body, "critical", &is_critical, error);
    event->critical = is_critical;
    return is_good;
}

static bool read_data(const cJSON *body, Hansom__UserEvent *event, struct field_error *error)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(body, "data");
    if (!cJSON_IsObject(data))
        return field_fail(error, data == NULL ? "data: is needed" : "data: must be an object");
    event->data_json = cJSON_PrintUnformatted(data);
    ASSERT(event->data_json != NULL);
    if (strlen(event->data_json) <= EVENT_DATA_MAX)
        return true;
    cJSON_free(event->data_json);
    return field_fail(error, "data: must be at most 16384 bytes");
}

bool event_read(const cJSON *body, int64_t now_ms, Hansom__UserEvent *event_r, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    const char *id = NULL, *type = NULL, *collapse_key = NULL;
    hansom__user_event__init(event_r);
    if (!field_id(body, "event_id", FIELD_REQUIRED, &id, &why) ||
        !field_text(body, "type", FIELD_REQUIRED, &type, &why))
        return false;
    if (!event_type_is_valid(type))
        return field_fail(&why, "type: must be 1 to 64 of a-z 0-9 _");
    if (!field_text(body, "collapse_key", FIELD_OPTIONAL, &collapse_key, &why))
        return false;
    if (collapse_key != NULL && (*collapse_key == '\0' || strlen(collapse_key) > ID_LENGTH_MAX))
        return field_fail(&why, "collapse_key: must be 1 to 64 bytes");
    if (!read_critical(body, event_r, &why) || !read_expiry(body, now_ms, event_r, &why) ||
        !read_data(body, event_r, &why))
        return false;
    event_r->event_id = (char *)id;
    event_r->type = (char *)type;
    event_r->collapse_key = (char *)(collapse_key == NULL ? "" : collapse_key);
    event_r->created_at_ms = now_ms;
    return true;
}
