#include "connections.h"

#include "backoffice.h"
#include "log/log.h"
#include "pg/migrate.h"
#include "service/service_bus.h"

static void on_pg_state(void *context, bool is_connected)
{
    struct backoffice *app = context;
    metrics_gauge_set(app->metrics, METRIC_BACKOFFICE_PG_UP, 0, 0, is_connected);
    service_set_condition(app->service, "postgres", is_connected);
}

static void on_bus_state(void *context, enum bus_state state)
{
    struct backoffice *app = context;
    metrics_gauge_set(app->metrics, METRIC_BACKOFFICE_BUS_UP, 0, 0, state == BUS_CONNECTED);
    service_set_condition(app->service, "bus", state == BUS_CONNECTED);
}

static void on_migrated(void *context, const char *file_name)
{
    (void)context;
    LOG_INFO("migration_applied", LOG_STR("file", file_name));
}

static bool migrate(const struct backoffice_settings *settings, char **error_r)
{
    unsigned applied = 0;
    return *settings->migrations_dir == '\0' ||
           migrate_run(settings->postgres_url, settings->migrations_dir, on_migrated, NULL, &applied, error_r);
}

bool connections_open(struct backoffice *app, char **error_r)
{
    if (!migrate(app->settings, error_r))
        return false;
    uv_loop_t *loop = service_loop(app->service);
    app->pg = pg_create(loop, app->settings->postgres_url, (unsigned)app->settings->postgres_connections, error_r);
    if (app->pg != NULL)
        app->bus = service_bus_create(app->service, error_r);
    return app->bus != NULL;
}

void connections_watch(struct backoffice *app)
{
    service_set_condition(app->service, "postgres", false);
    service_set_condition(app->service, "bus", false);
    pg_on_state(app->pg, on_pg_state, app);
    bus_on_state(app->bus, on_bus_state, app);
}

void connections_close(struct backoffice *app)
{
    bus_destroy(&app->bus);
    pg_destroy(&app->pg);
}
