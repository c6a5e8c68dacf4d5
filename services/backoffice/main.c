#include "backoffice.h"
#include "housekeeping.h"
#include "kv_writer.h"
#include "log/log.h"
#include "outbox.h"
#include "pg/migrate.h"
#include "seal.h"
#include "token_refresher.h"

#define DRAIN_POLL_MS 20

static struct backoffice_settings settings;

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

static bool migrate(char **error_r)
{
    unsigned applied = 0;
    return *settings.migrations_dir == '\0' ||
           migrate_run(settings.postgres_url, settings.migrations_dir, on_migrated, NULL, &applied, error_r);
}

static bool load_secrets(struct backoffice *app, char **error_r)
{
    return (app->api_keys = api_keys_load(settings.api_key_file, error_r)) != NULL &&
           (app->signer = signer_load(settings.signing_key_file, settings.signing_kid,
                                      signing_algorithms[settings.signing_alg], error_r)) != NULL &&
           (app->sealer = sealer_load(settings.signing_key_file, error_r)) != NULL;
}

static bool connect_all(struct backoffice *app, char **error_r)
{
    const struct service_settings *common = service_settings(app->service);
    const struct bus_config bus = {.url = common->nats_url,
                                   .user = common->nats_user,
                                   .password = common->nats_password,
                                   .name = common->instance,
                                   .replicas = (int)common->nats_replicas};
    uv_loop_t *loop = service_loop(app->service);
    app->pg = pg_create(loop, settings.postgres_url, (unsigned)settings.postgres_connections, error_r);
    if (app->pg != NULL)
        app->bus = bus_create(loop, &bus, error_r);
    return app->bus != NULL;
}

static void start_workers(struct backoffice *app)
{
    app->kv_writer = kv_writer_create(app->bus, app->pg, bus_timeout_ms(app));
    app->outbox = outbox_create(app);
    app->refresher = token_refresher_create(app);
    app->housekeeping = housekeeping_create(app);
    service_set_condition(app->service, "postgres", false);
    service_set_condition(app->service, "bus", false);
    pg_on_state(app->pg, on_pg_state, app);
    bus_on_state(app->bus, on_bus_state, app);
}

static bool listen_http(struct backoffice *app, struct strbuf *error)
{
    const struct http_config http = {.address = settings.internal_address,
                                     .port = (uint16_t)settings.internal_port,
                                     .max_connections = (unsigned)settings.max_connections,
                                     .context = app,
                                     .admit = gate_admit,
                                     .handle = gate_handle,
                                     .note_answer = gate_note_answer};
    app->http = http_server_create(service_loop(app->service), &http, error);
    return app->http != NULL;
}

static void on_drain_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* The reverse of the start; requests that still wait are answered once nothing else can answer them. */
static void stop(void *context)
{
    struct backoffice *app = context;
    token_refresher_destroy(&app->refresher);
    outbox_destroy(&app->outbox);
    housekeeping_destroy(&app->housekeeping);
    kv_writer_destroy(&app->kv_writer);
    bus_destroy(&app->bus);
    pg_destroy(&app->pg);
    http_server_destroy(&app->http);
    sealer_destroy(&app->sealer);
    signer_destroy(&app->signer);
    api_keys_destroy(&app->api_keys);
    uv_close((uv_handle_t *)&app->drain_timer, on_drain_timer_closed);
}

static bool start(struct service *service, void **app_r, struct strbuf *error)
{
    struct backoffice *app = mem_alloc(sizeof(*app));
    app->service = service;
    app->settings = &settings;
    app->metrics = service_metrics(service);
    uv_timer_init(service_loop(service), &app->drain_timer);
    app->drain_timer.data = app;
    char *reason = NULL;
    bool is_good = load_secrets(app, &reason) && migrate(&reason) && connect_all(app, &reason);
    if (is_good) {
        start_workers(app);
        is_good = listen_http(app, error);
    }
    if (reason != NULL)
        strbuf_append_string(error, reason);
    mem_free(reason);
    if (!is_good)
        stop(app);
    *app_r = is_good ? app : NULL;
    return is_good;
}

static void on_drain_timer(uv_timer_t *timer)
{
    struct backoffice *app = timer->data;
    if (http_server_active(app->http) == 0 && token_refresher_active(app->refresher) == 0)
        service_drained(app->service);
}

static void drain(void *context)
{
    struct backoffice *app = context;
    http_server_quiesce(app->http);
    token_refresher_quiesce(app->refresher);
    uv_timer_start(&app->drain_timer, on_drain_timer, 0, DRAIN_POLL_MS);
}

int main(int argc, char **argv)
{
    const struct settings_group group = {.title = "backoffice",
                                         .rows = backoffice_setting_rows,
                                         .count = backoffice_setting_count,
                                         .values = &settings,
                                         .values_size = sizeof(settings)};
    const struct service_app app = {
        .name = "backoffice",
        .summary = "Internal REST: sessions and tokens, bookings, presence of drivers",
        .groups = &group,
        .group_count = 1,
        .metrics = backoffice_metric_defs,
        .metric_count = BACKOFFICE_METRIC_COUNT,
        .start = start,
        .drain = drain,
        .stop = stop,
    };
    return service_main(argc, argv, &app);
}
