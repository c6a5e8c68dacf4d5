#include "wire/decode_priv.h"

static int decode_choice(struct decoder *decoder, const char *name, bool is_required, int (*from_text)(const char *),
                         const char *allowed)
{
    const char *text = NULL;
    if (!decode_string(decoder, name, is_required, 32, &text))
        return 0;
    int value = from_text(text);
    if (value == 0)
        decode_fail(decoder, name, allowed);
    return value;
}

static int availability_value(const char *text)
{
    return (int)availability_from_text(text);
}

static int power_mode_value(const char *text)
{
    return (int)power_mode_from_text(text);
}

static int app_state_value(const char *text)
{
    return (int)app_state_from_text(text);
}

static void decode_position(struct decoder *decoder, Hansom__Heartbeat *beat)
{
    bool has_lat = decode_number(decoder, "lat", false, -90, 90, &beat->lat);
    bool has_lng = decode_number(decoder, "lng", false, -180, 180, &beat->lng);
    beat->has_position = has_lat && has_lng;
    if (has_lat != has_lng)
        decode_fail(decoder, has_lat ? "lng" : "lat", "missing");
}

bool heartbeat_decode(const struct cJSON *data, const char *driver_id, Hansom__Heartbeat *beat_r, char *error,
                      size_t error_size)
{
    struct decoder decoder = {.object = data, .prefix = "data.", .error = error, .error_size = error_size};
    hansom__heartbeat__init(beat_r);
    beat_r->driver_id = (char *)driver_id;
    if (!cJSON_IsObject(data))
        return decode_fail(&decoder, "type", "missing: must be an object");
    decode_must_match(&decoder, "type", true, "heartbeat");
    beat_r->availability = (Hansom__Availability)decode_choice(&decoder, "availability", true, availability_value,
                                                               "must be available, busy or paused");
    decode_time(&decoder, "timestamp", true, &beat_r->timestamp_ms);
    decode_position(&decoder, beat_r);
    double battery = 0;
    beat_r->has_battery_pct = decode_number(&decoder, "battery_pct", false, 0, 100, &battery);
    beat_r->battery_pct = (uint32_t)battery;
    beat_r->power_mode = (Hansom__PowerMode)decode_choice(&decoder, "power_mode", false, power_mode_value,
                                                          "must be normal, low_battery or low_data");
    beat_r->app_state = (Hansom__AppState)decode_choice(&decoder, "app_state", false, app_state_value,
                                                        "must be foreground or background");
    decode_id(&decoder, "wake_id", false, &beat_r->wake_id);
    return !decoder.has_failed;
}
