#include "backoffice.h"
#include "base/clock.h"
#include "log/log.h"
#include "routes.h"
#include "session_db.h"

struct delete_sessions {
    struct backoffice *app;
    struct exchange *exchange;
};

static void on_published(void *context, enum bus_status status)
{
    struct delete_sessions *op = context;
    if (status != BUS_OK) {
        exchange_unavailable(op->exchange, "the sessions are revoked, but the gateways may not know it yet");
        return;
    }
    metrics_add(op->app->metrics, METRIC_BACKOFFICE_REVOCATIONS, 0, 0, 1);
    LOG_INFO("sessions_revoked", LOG_STR("user", op->exchange->id));
    exchange_reply(op->exchange, 204);
}

static void on_cut_off(void *context, enum pg_status status, const struct pg_result *result)
{
    struct delete_sessions *op = context;
    if (status == PG_OK)
        cutoff_publish(op->app, op->exchange->id, pg_value_int(result, 0, 0), on_published, op);
    else
        exchange_unavailable(op->exchange, "the database is not available");
}

void handle_delete_sessions(struct backoffice *app, struct exchange *exchange)
{
    struct delete_sessions *op = exchange_alloc(exchange, sizeof(*op));
    *op = (struct delete_sessions){.app = app, .exchange = exchange};
    session_db_cut_off(app, exchange->id, clock_wall_ms(), on_cut_off, op);
}
