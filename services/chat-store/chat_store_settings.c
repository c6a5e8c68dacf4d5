#include "chat_store_settings.h"

#include "proto/stream_limits.h"

#define STREAM_DAYS (CHAT_MAX_AGE_S / 86400.0)
#define S struct chat_store_settings
const struct setting chat_store_setting_rows[] = {
    SETTING_STRING(S, postgres_url, "", 4096, "Database, postgresql://...", SETTING_REQUIRED | SETTING_SECRET),
    SETTING_STRING(S, migrations_dir, "", 4096, "Folder of SQL files that are applied before the start; empty: none",
                   0),
    SETTING_INT(S, postgres_connections, 2, 1, 32, "", "Connections for questions; the archive has its own", 0),
    SETTING_INT(S, query_timeout_ms, 3000, 100, 60000, "ms", "A query's outcome is uncertain after", 0),
    SETTING_INT(S, archive_batch, 4000, 1, 5000, "", "Items that are archived in one transaction at most", 0),
    SETTING_INT(S, archive_linger_ms, 20, 0, 5000, "ms", "An item waits this long for others to be archived with", 0),
    SETTING_INT(S, retention_days, 365, STREAM_DAYS, 36500, "days",
                "A chat is deleted this long after its last item; not before the stream has let go of it", 0),
    SETTING_INT(S, unanswered_after_s, 300, 1, 864000, "s", "A chat counts as without an answer after", 0),
};
const size_t chat_store_setting_count = ARRAY_LEN(chat_store_setting_rows);
