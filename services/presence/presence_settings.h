#ifndef HANSOM_PRESENCE_SETTINGS_H
#define HANSOM_PRESENCE_SETTINGS_H
#include "settings/settings.h"

struct presence_settings {
    int64_t heartbeat_grace_ms, reconnect_grace_ms, gateway_timeout_ms, no_viewers_delay_ms, wake_life_ms;
};
extern const struct setting presence_setting_rows[];
extern const size_t presence_setting_count;

#endif
