#include "housekeeping.h"

#include "base/clock.h"
#include "log/log.h"
#include "pg/pg_job.h"

#define INTERVAL_MS 10000
#define FORGET_BATCH_TEXT "5000"
#define MS_PER_DAY 86400000

struct housekeeping {
    struct notifier *app;
    struct pg_job *job;
    bool is_measuring, is_forgetting;
};

static void on_measured(void *context, enum pg_status status, const struct pg_result *result)
{
    struct housekeeping *housekeeping = context;
    struct metrics *metrics = housekeeping->app->metrics;
    housekeeping->is_measuring = false;
    if (status != PG_OK)
        return; /* postgres_connected tells; the gauges keep their last values */
    for (unsigned channel = 0; channel < CHANNEL_END; channel++) {
        metrics_gauge_set(metrics, METRIC_NOTIFY_QUEUE, channel, 0, 0);
        metrics_gauge_set(metrics, METRIC_NOTIFY_QUEUE_AGE, channel, 0, 0);
    }
    for (size_t row = 0; row < pg_row_count(result); row++) {
        unsigned channel = (unsigned)pg_value_int(result, row, 0);
        if (channel >= CHANNEL_END)
            continue;
        metrics_gauge_set(metrics, METRIC_NOTIFY_QUEUE, channel, 0, pg_value_int(result, row, 1));
        metrics_gauge_set(metrics, METRIC_NOTIFY_QUEUE_AGE, channel, 0, pg_value_int(result, row, 2) / 1000);
    }
}

/* A retry that waits for its time is not overdue. */
static void measure(struct housekeeping *housekeeping)
{
    char now[NUMBER_SIZE];
    if (housekeeping->is_measuring)
        return;
    housekeeping->is_measuring = true;
    pg_query(housekeeping->app->request_pg,
             "SELECT channel, count(*), greatest($1::bigint - min(due_ms), 0) FROM (SELECT channel, due_ms "
             "FROM notify.deliveries WHERE state IN (0, 1) ORDER BY priority, due_ms LIMIT 100000) AS d "
             "GROUP BY channel",
             1, (const char *const[]){number_text(now, clock_wall_ms())}, query_timeout_ms(housekeeping->app),
             on_measured, housekeeping);
}

static void forget(struct housekeeping *housekeeping);

static void on_forgotten(void *context, enum pg_status status, const struct pg_result *result)
{
    struct housekeeping *housekeeping = context;
    housekeeping->is_forgetting = false;
    if (status != PG_OK) {
        LOG_WARN("ledger_not_cleaned", LOG_STR("sqlstate", pg_sqlstate(result)));
        return;
    }
    if (pg_affected(result) > 0)
        LOG_INFO("ledger_forgotten", LOG_INT("events", pg_affected(result)));
    if (pg_affected(result) == strtoul(FORGET_BATCH_TEXT, NULL, 10))
        forget(housekeeping);
}

static void forget(struct housekeeping *housekeeping)
{
    const struct notifier *app = housekeeping->app;
    char before[NUMBER_SIZE];
    if (housekeeping->is_forgetting)
        return;
    housekeeping->is_forgetting = true;
    pg_query(app->request_pg,
             "DELETE FROM notify.events WHERE event_key IN (SELECT event_key FROM notify.events "
             "WHERE created_ms < $1::bigint ORDER BY created_ms LIMIT " FORGET_BATCH_TEXT ")",
             1,
             (const char *const[]){number_text(before, clock_wall_ms() - app->settings->ledger_keep_days * MS_PER_DAY)},
             query_timeout_ms(app), on_forgotten, housekeeping);
}

static void run(void *context)
{
    struct housekeeping *housekeeping = context;
    measure(housekeeping);
    forget(housekeeping);
}

struct housekeeping *housekeeping_create(struct notifier *app)
{
    struct housekeeping *housekeeping = mem_alloc(sizeof(*housekeeping));
    housekeeping->app = app;
    housekeeping->job = pg_job_create(service_loop(app->service), app->request_pg, INTERVAL_MS, run, housekeeping);
    return housekeeping;
}

void housekeeping_destroy(struct housekeeping **housekeeping_pointer)
{
    struct housekeeping *housekeeping = *housekeeping_pointer;
    *housekeeping_pointer = NULL;
    if (housekeeping == NULL)
        return;
    pg_job_destroy(&housekeeping->job);
    mem_free(housekeeping);
}
