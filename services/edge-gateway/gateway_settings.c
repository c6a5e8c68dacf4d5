#include "gateway_settings.h"

#define G struct gateway_settings
const struct setting gateway_setting_rows[] = {
    SETTING_STRING(G, listen_address, "127.0.0.1", 64, "IPv4 address for clients", 0),
    SETTING_INT(G, port, 8080, 0, 65535, "", "Port for clients; 0: any free one", 0),
    SETTING_STRING(G, jwt_keys_file, "", 4096, "Key set that tokens are verified with", SETTING_REQUIRED),
    SETTING_STRING(G, allowed_origins, "", 4096, "Origins that browsers may connect from, comma separated; empty: any",
                   0),
    SETTING_INT(G, max_connections, 100000, 1, 10000000, "", "Connections of this process", 0),
    SETTING_INT(G, max_connections_per_address, 20000, 1, 10000000, "", "Connections from one address", 0),
    SETTING_INT(G, max_connects_per_second_per_address, 5000, 1, 1000000, "/s", "New connections from one address", 0),
    SETTING_INT(G, connect_timeout_ms, 5000, 100, 600000, "ms", "The connect frame must come within", 0),
    SETTING_INT(G, ping_interval_ms, 25000, 1000, 600000, "ms", "A silent client is pinged after", 0),
    SETTING_INT(G, idle_timeout_ms, 60000, 2000, 3600000, "ms", "A client is gone after this long without a byte", 0),
    SETTING_INT(G, close_timeout_ms, 3000, 100, 60000, "ms", "A close that the client does not take is cut after", 0),
    SETTING_INT(G, max_frame_bytes, 65536, 1024, 1048576, "bytes", "Largest message from a client", 0),
    SETTING_INT(G, outbox_max_bytes, 262144, 4096, 67108864, "bytes", "Unsent ordered items before slow_consumer", 0),
    SETTING_INT(G, send_buffer_bytes, 65536, 4096, 4194304, "bytes", "SO_SNDBUF of each connection", 0),
    SETTING_INT(G, max_subscriptions, 128, 1, 10000, "", "Subscriptions of one connection", 0),
    SETTING_INT(G, max_malformed_frames, 1, 1, 1000, "", "Frames that are no JSON before the connection is closed", 0),
    SETTING_DOUBLE(G, max_publishes_per_second, 50, 0.1, 100000, "/s", "Publishes of one connection", 0),
    SETTING_DOUBLE(G, max_ops_per_second, 100, 1, 100000, "/s", "Frames of one connection", 0),
    SETTING_INT(G, token_cache_size, 100000, 16, 10000000, "", "Verified tokens that are remembered", 0),
    SETTING_INT(G, drain_spread_ms_per_connection, 2, 0, 1000, "ms",
                "A drain spreads the reconnects over this much per connection, within the drain's time", 0),
};
const size_t gateway_setting_count = ARRAY_LEN(gateway_setting_rows);
