#ifndef HANSOM_THROTTLE_SETTINGS_H
#define HANSOM_THROTTLE_SETTINGS_H
#include "settings/settings.h"

struct throttle_settings {
    double max_speed_kmh;
    int64_t believe_after, max_future_ms, slot_idle_ms, max_slots;
};
extern const struct setting throttle_setting_rows[];
extern const size_t throttle_setting_count;

#endif
