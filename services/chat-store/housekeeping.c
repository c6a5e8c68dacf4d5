#include "housekeeping.h"

#include "base/clock.h"
#include "log/log.h"

#define INTERVAL_MS 30000
#define EXPIRE_TIMEOUT_MS 60000
#define EXPIRE_CHATS_MAX "1000"
#define WEEKS_AHEAD 2
#define WEEK_MS 604800000ll
#define DAY_MS 86400000ll
#define UNANSWERED_DAYS 1

static void on_done(void *context, enum pg_status status, const struct pg_result *result)
{
    (void)context;
    if (status == PG_FAILED)
        LOG_ERROR("housekeeping_failed", LOG_STR("sqlstate", pg_sqlstate(result)));
}

/* So that the first message of a week does not have to wait for its table. */
static void make_partitions(struct chat_store *store)
{
    for (int64_t week = 0; week <= WEEKS_AHEAD; week++) {
        char at[NUMBER_SIZE];
        const char *const parameters[] = {number_text(at, clock_wall_ms() + week * WEEK_MS)};
        pg_query(store->query_pg, "SELECT chat.ensure_partition($1::bigint)", 1, parameters, query_timeout_ms(store),
                 on_done, NULL);
    }
}

static void on_expired(void *context, enum pg_status status, const struct pg_result *result)
{
    struct chat_store *store = context;
    int64_t chats = status == PG_OK && pg_row_count(result) > 0 ? pg_value_int(result, 0, 0) : 0;
    on_done(NULL, status, result);
    if (chats == 0)
        return;
    metrics_add(store->metrics, METRIC_CHAT_EXPIRED, 0, 0, (uint64_t)chats);
    LOG_INFO("chats_expired", LOG_INT("chats", chats));
}

static void expire(struct chat_store *store)
{
    char before[NUMBER_SIZE];
    const char *const parameters[] = {number_text(before, clock_wall_ms() - store->settings->retention_days * DAY_MS)};
    pg_query(store->query_pg, "SELECT chat.expire($1::bigint, " EXPIRE_CHATS_MAX ")", 1, parameters, EXPIRE_TIMEOUT_MS,
             on_expired, store);
}

static void on_unanswered(void *context, enum pg_status status, const struct pg_result *result)
{
    struct chat_store *store = context;
    if (status == PG_OK && pg_row_count(result) > 0)
        metrics_gauge_set(store->metrics, METRIC_CHAT_UNANSWERED, 0, 0, pg_value_int(result, 0, 0));
}

static void count_unanswered(struct chat_store *store)
{
    char from[NUMBER_SIZE], to[NUMBER_SIZE];
    int64_t now_ms = clock_wall_ms();
    const char *const parameters[] = {number_text(from, now_ms - UNANSWERED_DAYS * DAY_MS),
                                      number_text(to, now_ms - store->settings->unanswered_after_s * 1000)};
    pg_query(store->query_pg,
             "SELECT count(*) FROM chat.chats WHERE has_client::int + has_driver::int + has_support::int = 1 "
             "AND booking_created_ms > $1::bigint AND last_message_ms < $2::bigint",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(store), on_unanswered, store);
}

static void run(void *context)
{
    struct chat_store *store = context;
    make_partitions(store);
    expire(store);
    count_unanswered(store);
}

struct pg_job *housekeeping_create(struct chat_store *store)
{
    return pg_job_create(service_loop(store->service), store->query_pg, INTERVAL_MS, run, store);
}
