#include "backoffice.h"
#include "connections.h"
#include "gate.h"
#include "housekeeping.h"
#include "kv_writer.h"
#include "outbox.h"
#include "token_refresher.h"

static struct backoffice_settings settings;

static bool check(struct strbuf *errors)
{
    struct secrets secrets;
    char *reason = NULL;
    bool is_good = secrets_load(&settings, &secrets, &reason);
    if (is_good)
        secrets_finish(&secrets);
    else
        strbuf_appendf(errors, "%s\n", reason);
    mem_free(reason);
    return is_good;
}

static void start_workers(struct backoffice *app)
{
    app->kv_writer = kv_writer_create(app->bus, app->pg, bus_timeout_ms(app));
    app->outbox = outbox_create(app);
    app->message_outbox = message_outbox_create(app);
    app->refresher = token_refresher_create(app);
    app->housekeeping = housekeeping_create(app);
    connections_watch(app);
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

/* The reverse of the start; requests that still wait are answered once nothing else can answer them. */
static void stop(void *context)
{
    struct backoffice *app = context;
    token_refresher_destroy(&app->refresher);
    message_outbox_destroy(&app->message_outbox);
    outbox_destroy(&app->outbox);
    pg_job_destroy(&app->housekeeping);
    kv_writer_destroy(&app->kv_writer);
    connections_close(app);
    http_server_destroy(&app->http);
    secrets_finish(&app->secrets);
    mem_free(app);
}

static bool start(struct service *service, void **app_r, struct strbuf *error)
{
    struct backoffice *app = mem_alloc(sizeof(*app));
    app->service = service;
    app->settings = &settings;
    app->metrics = service_metrics(service);
    char *reason = NULL;
    bool is_good = secrets_load(&settings, &app->secrets, &reason) && connections_open(app, &reason);
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

static bool is_drained(void *context)
{
    const struct backoffice *app = context;
    return http_server_active(app->http) == 0 && token_refresher_active(app->refresher) == 0;
}

static void drain(void *context)
{
    struct backoffice *app = context;
    http_server_quiesce(app->http);
    token_refresher_quiesce(app->refresher);
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
        .check = check,
        .start = start,
        .drain = drain,
        .is_drained = is_drained,
        .stop = stop,
    };
    return service_main(argc, argv, &app);
}
