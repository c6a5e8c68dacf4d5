#include "presence_settings.h"

#define P struct presence_settings
const struct setting presence_setting_rows[] = {
    SETTING_INT(P, heartbeat_grace_ms, 500, 0, 60000, "ms", "A heartbeat may be this late before it is missed", 0),
    SETTING_INT(P, reconnect_grace_ms, 5000, 0, 600000, "ms", "A lost connection may come back within", 0),
    SETTING_INT(P, gateway_timeout_ms, 3000, 1500, 60000, "ms", "A gateway silent for this long is dead", 0),
    SETTING_INT(P, wake_life_ms, 120000, 1000, 3600000, "ms", "A push that wakes an offline driver is tried for", 0),
    SETTING_INT(P, no_viewers_delay_ms, 10000, 0, 600000, "ms", "Nobody watches a driver only after", 0),
};
const size_t presence_setting_count = ARRAY_LEN(presence_setting_rows);
