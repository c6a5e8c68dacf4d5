#ifndef HANSOM_CHAT_STORE_SETTINGS_H
#define HANSOM_CHAT_STORE_SETTINGS_H
#include "settings/settings.h"

struct chat_store_settings {
    char *postgres_url, *migrations_dir;
    int64_t postgres_connections, query_timeout_ms;
    int64_t archive_batch, archive_linger_ms;
    int64_t retention_days, unanswered_after_s;
};

extern const struct setting chat_store_setting_rows[];
extern const size_t chat_store_setting_count;

#endif
