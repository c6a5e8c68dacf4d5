#include "housekeeping.h"

#include "backoffice.h"
#include "base/clock.h"
#include "log/log.h"

#define INTERVAL_MS 60000
/* An expired session is kept this long for questions. */
#define SESSION_KEEP_MS (7 * 86400000LL)

static void on_deleted(void *context, enum pg_status status, const struct pg_result *result)
{
    (void)context;
    if (status == PG_FAILED)
        LOG_ERROR("housekeeping_failed", LOG_STR("sqlstate", pg_sqlstate(result)));
    else if (pg_affected(result) > 0)
        LOG_INFO("housekeeping", LOG_INT("deleted", pg_affected(result)));
}

/* Bounded, so that it never stands in the way. */
static void delete_before(struct backoffice *app, const char *sql, int64_t before_ms)
{
    char text[NUMBER_SIZE];
    const char *const parameters[] = {number_text(text, before_ms)};
    pg_query(app->pg, sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(app), on_deleted, NULL);
}

static void run(void *context)
{
    struct backoffice *app = context;
    int64_t now_ms = clock_wall_ms();
    delete_before(app,
                  "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_keys "
                  "WHERE created_at_ms < $1::bigint LIMIT 5000))",
                  now_ms - app->settings->idempotency_keep_s * 1000);
    delete_before(app,
                  "DELETE FROM refresh_families WHERE family_id = ANY (ARRAY(SELECT family_id FROM refresh_families "
                  "WHERE expires_at_ms < $1::bigint LIMIT 1000))",
                  now_ms - SESSION_KEEP_MS);
    delete_before(app,
                  "DELETE FROM user_events WHERE ctid = ANY (ARRAY(SELECT ctid FROM user_events "
                  "WHERE created_at_ms < $1::bigint LIMIT 5000))",
                  now_ms - app->settings->event_ids_keep_days * 86400000LL);
}

struct pg_job *housekeeping_create(struct backoffice *app)
{
    return pg_job_create(service_loop(app->service), app->pg, INTERVAL_MS, run, app);
}
