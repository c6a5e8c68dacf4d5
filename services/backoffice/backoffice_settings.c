#include "backoffice_settings.h"

const char *const signing_algorithms[] = {"ES256", "RS256", "HS256", NULL};

#define B struct backoffice_settings
const struct setting backoffice_setting_rows[] = {
    SETTING_STRING(B, internal_address, "127.0.0.1", 64, "IPv4 address of the internal REST", 0),
    SETTING_INT(B, internal_port, 8090, 0, 65535, "", "Port of the internal REST; 0: any free one", 0),
    SETTING_INT(B, max_connections, 1000, 1, 20000, "", "Connections to the internal REST", 0),
    SETTING_STRING(B, api_key_file, "", 4096, "File with the API keys of back ends, one per line", SETTING_REQUIRED),
    SETTING_STRING(B, postgres_url, "", 4096, "Database, postgresql://...", SETTING_REQUIRED | SETTING_SECRET),
    SETTING_STRING(B, migrations_dir, "", 4096, "Folder of SQL files that are applied before the start; empty: none",
                   0),
    SETTING_INT(B, postgres_connections, 2, 1, 64, "", "Connections to the database", 0),
    SETTING_INT(B, query_timeout_ms, 3000, 100, 60000, "ms", "A query's outcome is uncertain after", 0),
    SETTING_INT(B, bus_timeout_ms, 2000, 100, 60000, "ms", "A write to a bucket is uncertain after", 0),
    SETTING_STRING(B, signing_key_file, "", 4096, "PEM private key (or secret, for HS256) that signs tokens",
                   SETTING_REQUIRED),
    SETTING_STRING(B, signing_kid, "dev", 64, "kid of the signing key in the verifiers' key set", SETTING_REQUIRED),
    SETTING_ENUM(B, signing_alg, "ES256", signing_algorithms, "Algorithm of the signing key", 0),
    SETTING_STRING(B, token_issuer, "", 256, "iss of tokens; empty: none", 0),
    SETTING_STRING(B, token_audience, "", 256, "aud of tokens; empty: none", 0),
    SETTING_INT(B, access_ttl_s, 3600, 1, 86400, "s", "Life of an access token when the session names none", 0),
    SETTING_INT(B, refresh_ttl_s, 2592000, 60, 31536000, "s", "Life of a refresh token", 0),
    SETTING_INT(B, outbox_interval_ms, 1000, 50, 60000, "ms", "Writes that NATS has not confirmed are repeated every",
                0),
    SETTING_INT(B, idempotency_keep_s, 86400, 60, 2592000, "s", "An Idempotency-Key is remembered for", 0),
    SETTING_INT(B, event_ids_keep_days, 30, 1, 3650, "days", "The event_id of a posted event is remembered for", 0),
    SETTING_INT(B, assignment_offer_ttl_s, 300, 0, 86400, "s", "An assignment_offer of ours expires after; 0: never",
                0),
};
const size_t backoffice_setting_count = ARRAY_LEN(backoffice_setting_rows);
