#include "ack_intake.h"
#include "chat_watch.h"
#include "core/templates.h"
#include "dispatcher.h"
#include "event_intake.h"
#include "event_puller.h"
#include "housekeeping.h"
#include "notifier.h"
#include "pg/migrate.h"
#include "requests.h"
#include "service/service_bus.h"
#include "shared_token.h"
#include "step_runner.h"
#include "transfer.h"

static struct notifier_settings settings;

static void on_bus_state(void *context, enum bus_state state)
{
    struct notifier *app = context;
    metrics_gauge_set(app->metrics, METRIC_NOTIFY_BUS_UP, 0, 0, state == BUS_CONNECTED);
    service_set_condition(app->service, "nats", state == BUS_CONNECTED);
    event_puller_bus_state(app->events, state);
    ack_intake_bus_state(app->acks, state);
    chat_watch_bus_state(app->chat, state);
}

static void on_pg_state(void *context, bool is_connected)
{
    struct notifier *app = context;
    metrics_gauge_set(app->metrics, METRIC_NOTIFY_PG_UP, 0, 0, is_connected);
    service_set_condition(app->service, "postgres", is_connected);
    if (is_connected) {
        step_runner_wake(app->steps);
        dispatcher_database_is_back(app->dispatcher);
    }
}

static bool load_rules(struct notifier *app, struct strbuf *error)
{
    const struct policy_settings_text policies = {settings.type_policies, settings.default_policy,
                                                  settings.default_critical_policy};
    if (!quiet_hours_parse(settings.quiet_hours, &app->quiet_hours)) {
        strbuf_append_string(error, "quiet_hours: must be like 22:00-07:00");
        return false;
    }
    app->policies = policies_create(&policies, error);
    if (app->policies != NULL)
        app->templates = templates_load(settings.templates_dir, settings.default_locale, error);
    return app->templates != NULL;
}

/* What only makes sense together; also for --check-config. */
static bool check(struct strbuf *errors)
{
    struct notifier app = {0};
    bool is_good = load_rules(&app, errors);
    if (is_good && settings.claim_lease_ms <= settings.transfer_timeout_ms) {
        strbuf_append_string(errors, "claim_lease_ms: must be more than transfer_timeout_ms");
        is_good = false;
    }
    if (is_good && !timezone_is_known(settings.default_timezone)) {
        strbuf_append_string(errors, "default_timezone: is not a known IANA time zone");
        is_good = false;
    }
    if (!is_good)
        strbuf_append_char(errors, '\n');
    templates_destroy(&app.templates);
    policies_destroy(&app.policies);
    return is_good;
}

static bool migrate(char **error_r)
{
    unsigned applied = 0;
    return *settings.migrations_dir == '\0' ||
           migrate_run(settings.postgres_url, settings.migrations_dir, NULL, NULL, &applied, error_r);
}

static bool connect_all(struct notifier *app, struct strbuf *error)
{
    uv_loop_t *loop = service_loop(app->service);
    char *reason = NULL;
    if (migrate(&reason))
        app->pg = pg_create(loop, settings.postgres_url, (unsigned)settings.postgres_connections, &reason);
    if (app->pg != NULL)
        app->request_pg = pg_create(loop, settings.postgres_url, 1, &reason);
    if (app->request_pg != NULL)
        app->bus = service_bus_create(app->service, &reason);
    if (app->bus == NULL)
        strbuf_append_string(error, reason);
    mem_free(reason);
    return app->bus != NULL;
}

static bool start_sending(struct notifier *app, struct strbuf *error)
{
    uv_loop_t *loop = service_loop(app->service);
    const struct transfer_options options = {.ca_file = settings.provider_ca_file,
                                             .connections_per_host = (unsigned)settings.connections_per_host,
                                             .streams_per_connection = (unsigned)settings.streams_per_connection,
                                             .allows_private = settings.allow_private_targets};
    app->transfers = transfer_client_create(loop, &options, error);
    if (app->transfers == NULL)
        return false;
    app->shared_tokens = shared_tokens_create(loop, app->pg, query_timeout_ms(app));
    app->dispatcher = dispatcher_create(app, error);
    return app->dispatcher != NULL;
}

static void start_taking(struct notifier *app)
{
    app->steps = step_runner_create(app);
    app->intake = event_intake_create(app);
    app->events = event_puller_create(app);
    app->acks = ack_intake_create(app);
    app->chat = chat_watch_create(app);
    app->requests = requests_create(app);
    app->housekeeping = housekeeping_create(app);
    service_set_condition(app->service, "nats", false);
    service_set_condition(app->service, "postgres", false);
    pg_on_state(app->pg, on_pg_state, app);
    bus_on_state(app->bus, on_bus_state, app);
}

/* The reverse of the start; without the database no answer comes to those that are ended after it. */
static void stop(void *context)
{
    struct notifier *app = context;
    if (app->bus != NULL)
        bus_on_state(app->bus, NULL, NULL);
    pg_destroy(&app->request_pg);
    pg_destroy(&app->pg);
    housekeeping_destroy(&app->housekeeping);
    requests_destroy(&app->requests);
    ack_intake_destroy(&app->acks);
    event_intake_destroy(&app->intake);
    chat_watch_destroy(&app->chat);
    event_puller_destroy(&app->events);
    step_runner_destroy(&app->steps);
    dispatcher_destroy(&app->dispatcher);
    shared_tokens_destroy(&app->shared_tokens);
    transfer_client_destroy(&app->transfers);
    bus_destroy(&app->bus);
    templates_destroy(&app->templates);
    policies_destroy(&app->policies);
    mem_free(app);
}

static bool start(struct service *service, void **app_r, struct strbuf *error)
{
    struct notifier *app = mem_alloc(sizeof(*app));
    app->service = service;
    app->settings = &settings;
    app->metrics = service_metrics(service);
    if (!load_rules(app, error) || !connect_all(app, error) || !start_sending(app, error)) {
        stop(app);
        return false;
    }
    start_taking(app);
    *app_r = app;
    return true;
}

static bool is_drained(void *context)
{
    const struct notifier *app = context;
    return dispatcher_is_idle(app->dispatcher) && step_runner_is_idle(app->steps) &&
           event_intake_is_idle(app->intake) && ack_intake_is_idle(app->acks) && requests_are_idle(app->requests);
}

static void drain(void *context)
{
    struct notifier *app = context;
    requests_stop(app->requests);
    event_puller_drain(app->events);
    chat_watch_drain(app->chat);
    ack_intake_drain(app->acks);
    step_runner_drain(app->steps);
    dispatcher_drain(app->dispatcher);
}

int main(int argc, char **argv)
{
    const struct settings_group group = {.title = "Notifier",
                                         .rows = notifier_setting_rows,
                                         .count = notifier_setting_count,
                                         .values = &settings,
                                         .values_size = sizeof(settings)};
    const struct service_app app = {
        .name = "notifier",
        .summary = "backs events by push, SMS and e-mail, and keeps the ledger of every attempt",
        .groups = &group,
        .group_count = 1,
        .metrics = notifier_metric_defs,
        .metric_count = NOTIFIER_METRIC_COUNT,
        .check = check,
        .start = start,
        .drain = drain,
        .is_drained = is_drained,
        .stop = stop,
    };
    return service_main(argc, argv, &app);
}
