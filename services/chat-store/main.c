#include "archive_floor.h"
#include "archiver.h"
#include "chat_store.h"
#include "eraser.h"
#include "housekeeping.h"
#include "log/log.h"
#include "marks_archiver.h"
#include "pg/migrate.h"
#include "questions.h"
#include "service/service_bus.h"

static struct chat_store_settings settings;

static void on_bus_state(void *context, enum bus_state state)
{
    struct chat_store *store = context;
    metrics_gauge_set(store->metrics, METRIC_CHAT_BUS_UP, 0, 0, state == BUS_CONNECTED);
    service_set_condition(store->service, "nats", state == BUS_CONNECTED);
    archiver_bus_state(store->archiver, state);
    marks_archiver_bus_state(store->marks, state);
}

static void on_archive_pg_state(void *context, bool is_connected)
{
    archiver_pg_state(((struct chat_store *)context)->archiver, is_connected);
}

static void on_query_pg_state(void *context, bool is_connected)
{
    struct chat_store *store = context;
    metrics_gauge_set(store->metrics, METRIC_CHAT_PG_UP, 0, 0, is_connected);
    service_set_condition(store->service, "postgres", is_connected);
    if (is_connected)
        pg_job_wake(store->housekeeping);
}

static bool migrate(char **error_r)
{
    unsigned applied = 0;
    return *settings.migrations_dir == '\0' ||
           migrate_run(settings.postgres_url, settings.migrations_dir, NULL, NULL, &applied, error_r);
}

static bool connect_all(struct chat_store *store, char **error_r)
{
    uv_loop_t *loop = service_loop(store->service);
    if (!migrate(error_r))
        return false;
    store->archive_pg = pg_create(loop, settings.postgres_url, ARCHIVE_BATCHES, error_r);
    if (store->archive_pg != NULL)
        store->query_pg = pg_create(loop, settings.postgres_url, (unsigned)settings.postgres_connections, error_r);
    if (store->query_pg == NULL)
        return false;
    pg_plan_once(store->archive_pg);
    pg_plan_once(store->query_pg);
    store->bus = service_bus_create(store->service, error_r);
    return store->bus != NULL;
}

static void start_parts(struct chat_store *store)
{
    store->floor = archive_floor_create(store);
    store->archiver = archiver_create(store);
    store->marks = marks_archiver_create(store);
    store->questions = questions_create(store);
    store->eraser = eraser_create(store);
    store->housekeeping = housekeeping_create(store);
    service_set_condition(store->service, "nats", false);
    service_set_condition(store->service, "postgres", false);
    pg_on_state(store->archive_pg, on_archive_pg_state, store);
    pg_on_state(store->query_pg, on_query_pg_state, store);
    bus_on_state(store->bus, on_bus_state, store);
}

/* The reverse of the start; without the database no answer comes to those that are ended after it. */
static void stop(void *context)
{
    struct chat_store *store = context;
    if (store->bus != NULL)
        bus_on_state(store->bus, NULL, NULL);
    pg_destroy(&store->query_pg);
    pg_destroy(&store->archive_pg);
    pg_job_destroy(&store->housekeeping);
    eraser_destroy(&store->eraser);
    questions_destroy(&store->questions);
    marks_archiver_destroy(&store->marks);
    archiver_destroy(&store->archiver);
    archive_floor_destroy(&store->floor);
    bus_destroy(&store->bus);
    mem_free(store);
}

static bool start(struct service *service, void **app_r, struct strbuf *error)
{
    struct chat_store *store = mem_alloc(sizeof(*store));
    store->service = service;
    store->settings = &settings;
    store->metrics = service_metrics(service);
    char *reason = NULL;
    if (!connect_all(store, &reason)) {
        strbuf_append_string(error, reason);
        mem_free(reason);
        stop(store);
        return false;
    }
    start_parts(store);
    *app_r = store;
    return true;
}

static bool is_drained(void *context)
{
    const struct chat_store *store = context;
    return archiver_is_idle(store->archiver) && marks_archiver_is_idle(store->marks) &&
           questions_is_idle(store->questions);
}

static void drain(void *context)
{
    struct chat_store *store = context;
    questions_stop(store->questions);
    archiver_drain(store->archiver);
    marks_archiver_drain(store->marks);
}

int main(int argc, char **argv)
{
    const struct settings_group group = {.title = "Chat store",
                                         .rows = chat_store_setting_rows,
                                         .count = chat_store_setting_count,
                                         .values = &settings,
                                         .values_size = sizeof(settings)};
    const struct service_app app = {
        .name = "chat-store",
        .summary = "archives chats, answers for their history, forgets what is to be forgotten",
        .groups = &group,
        .group_count = 1,
        .metrics = chat_store_metric_defs,
        .metric_count = CHAT_STORE_METRIC_COUNT,
        .start = start,
        .drain = drain,
        .is_drained = is_drained,
        .stop = stop,
    };
    return service_main(argc, argv, &app);
}
