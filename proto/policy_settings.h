#ifndef HANSOM_POLICY_SETTINGS_H
#define HANSOM_POLICY_SETTINGS_H
/*
 * X, Y and N of PROTOCOL section 6, one value per state of the driver. tracking-throttle (Y) and presence (all) must
 * agree on them, so both tables include these rows and both read the same environment variables.
 */
#include "settings/settings.h"

struct policy_settings {
    int64_t available_heartbeat_interval_ms, on_booking_heartbeat_interval_ms, low_power_heartbeat_interval_ms,
        no_viewers_heartbeat_interval_ms;
    double available_max_updates_per_second, on_booking_max_updates_per_second, low_power_max_updates_per_second,
        no_viewers_max_updates_per_second;
    int64_t available_missed_limit, on_booking_missed_limit, low_power_missed_limit, no_viewers_missed_limit;
};

#define POLICY_SETTING_ROWS(state, interval_ms, updates, missed, when)                                                 \
    SETTING_INT(struct policy_settings, state##_heartbeat_interval_ms, interval_ms, 200, 600000, "ms",                 \
                "X: a heartbeat or position is expected this often " when, 0),                                         \
        SETTING_DOUBLE(struct policy_settings, state##_max_updates_per_second, updates, 0.01, 20, "/s",                \
                       "Y: positions per second " when, 0),                                                            \
        SETTING_INT(struct policy_settings, state##_missed_limit, missed, 1, 100, "",                                  \
                    "N: offline after this many missed intervals " when, 0)

static const struct setting policy_setting_rows[] = {
    POLICY_SETTING_ROWS(available, 10000, 0.2, 3, "while the driver is available without a booking"),
    POLICY_SETTING_ROWS(on_booking, 5000, 2, 3, "while on a booking that somebody watches"),
    POLICY_SETTING_ROWS(low_power, 15000, 0.5, 3, "with low battery or low data"),
    POLICY_SETTING_ROWS(no_viewers, 10000, 0.2, 3, "while on a booking that nobody watches"),
};

#endif
