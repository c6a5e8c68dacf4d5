#include "throttle_settings.h"

#define T struct throttle_settings
const struct setting throttle_setting_rows[] = {
    SETTING_DOUBLE(T, max_speed_kmh, 200, 10, 1500, "km/h", "A fix that would mean a higher speed is refused", 0),
    SETTING_INT(T, believe_after, 5, 1, 100, "",
                "M: a new place is believed after this many refusals in a row that agree with each other", 0),
    SETTING_INT(T, max_future_ms, 60000, 0, 3600000, "ms", "A fix further in the future is refused", 0),
    SETTING_INT(T, slot_idle_ms, 900000, 1000, 86400000, "ms", "A booking without fixes is forgotten after", 0),
    SETTING_INT(T, max_slots, 1000000, 1, 100000000, "", "Bookings that are followed at most", 0),
};
const size_t throttle_setting_count = ARRAY_LEN(throttle_setting_rows);
