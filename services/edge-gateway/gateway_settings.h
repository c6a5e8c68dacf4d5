#ifndef HANSOM_GATEWAY_SETTINGS_H
#define HANSOM_GATEWAY_SETTINGS_H
#include "settings/settings.h"

struct gateway_settings {
    char *listen_address;
    int64_t port;
    char *jwt_keys_file;
    char *allowed_origins;
    int64_t max_connections, max_connections_per_address, max_connects_per_second_per_address;
    int64_t connect_timeout_ms, ping_interval_ms, idle_timeout_ms, close_timeout_ms;
    int64_t max_frame_bytes, outbox_max_bytes, send_buffer_bytes;
    int64_t max_subscriptions, max_malformed_frames;
    double max_publishes_per_second, max_ops_per_second;
    int64_t token_cache_size, drain_spread_ms_per_connection;
};

extern const struct setting gateway_setting_rows[];
extern const size_t gateway_setting_count;

#endif
