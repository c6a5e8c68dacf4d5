#ifndef HANSOM_BACKOFFICE_SETTINGS_H
#define HANSOM_BACKOFFICE_SETTINGS_H
#include "settings/settings.h"

struct backoffice_settings {
    char *internal_address;
    int64_t internal_port, max_connections;
    char *api_key_file;
    char *postgres_url, *migrations_dir;
    int64_t postgres_connections, query_timeout_ms, bus_timeout_ms;
    char *signing_key_file, *signing_kid;
    int signing_alg; /* index into signing_algorithms */
    char *token_issuer, *token_audience;
    int64_t access_ttl_s, refresh_ttl_s;
    int64_t outbox_interval_ms, idempotency_keep_s, event_ids_keep_days, assignment_offer_ttl_s;
};

extern const char *const signing_algorithms[];
extern const struct setting backoffice_setting_rows[];
extern const size_t backoffice_setting_count;

#endif
