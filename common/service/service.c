#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ids.h"
#include "log/log.h"
#include "service/service_priv.h"

#define HEARTBEAT_MS 500
#define DRAIN_POLL_MS 20
#define CLOSE_TURNS_MAX 1000

/* --- what services ask -------------------------------------------------------------------------------------------- */

uv_loop_t *service_loop(struct service *service)
{
    return &service->loop;
}

struct metrics *service_metrics(struct service *service)
{
    return service->metrics;
}

const struct service_settings *service_settings(const struct service *service)
{
    return &service->settings;
}

uint16_t service_admin_port(const struct service *service)
{
    return service->admin_port;
}

bool service_is_draining(const struct service *service)
{
    return atomic_load(&service->is_draining);
}

bool service_is_ready(const struct service *service)
{
    if (service->condition_count == 0 || service_is_draining(service))
        return false;
    for (size_t i = 0; i < service->condition_count; i++)
        if (!service->conditions[i].is_met)
            return false;
    return true;
}

static struct condition *condition_of(struct service *service, const char *name)
{
    for (size_t i = 0; i < service->condition_count; i++)
        if (str_equal(service->conditions[i].name, name))
            return &service->conditions[i];
    ASSERT(service->condition_count < CONDITIONS_MAX);
    struct condition *made = &service->conditions[service->condition_count++];
    made->name = name;
    return made;
}

void service_set_condition(struct service *service, const char *name, bool is_met)
{
    pthread_mutex_lock(&service->lock);
    struct condition *condition = condition_of(service, name);
    bool is_changed = condition->is_met != is_met;
    condition->is_met = is_met;
    bool is_ready = service_is_ready(service);
    pthread_mutex_unlock(&service->lock);
    if (is_changed)
        LOG_INFO("condition", LOG_STR("condition", name), LOG_BOOL("is_met", is_met));
    if (is_ready && !service->was_ready) {
        service->was_ready = true;
        LOG_INFO("service_ready");
    }
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void service_drained(struct service *service)
{
    uv_stop(&service->loop);
}

void service_fail(struct service *service, const char *event, const char *reason)
{
    LOG_ERROR(event, LOG_STR("reason", reason));
    service->exit_code = 1;
    uv_stop(&service->loop);
}

static void on_drain_deadline(uv_timer_t *timer)
{
    struct service *service = timer->data;
    LOG_WARN("drain_cut", LOG_INT("after_ms", service->settings.drain_timeout_ms));
    uv_stop(&service->loop);
}

static void on_drain_poll(uv_timer_t *timer)
{
    struct service *service = timer->data;
    if (service->app->is_drained(service->app_object))
        service_drained(service);
}

static void on_end_signal(uv_signal_t *handle, int number)
{
    struct service *service = handle->data;
    if (atomic_exchange(&service->is_draining, true)) {
        LOG_WARN("second_signal", LOG_INT("signal", number));
        _exit(1);
    }
    LOG_INFO("draining", LOG_INT("signal", number));
    if (service->app->drain == NULL) {
        uv_stop(&service->loop);
        return;
    }
    uv_timer_start(&service->drain_deadline, on_drain_deadline, (uint64_t)service->settings.drain_timeout_ms, 0);
    service->app->drain(service->app_object);
    if (service->app->is_drained != NULL)
        uv_timer_start(&service->drain_poll, on_drain_poll, 0, DRAIN_POLL_MS);
}

static void on_reload_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct service *service = handle->data;
    service_reload_settings(service);
    if (service->app->reload != NULL)
        service->app->reload(service->app_object);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static void on_heartbeat(uv_timer_t *timer)
{
    atomic_store(&((struct service *)timer->data)->loop_seen_ms, clock_monotonic_ms());
}

static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        LOG_WARN("fd_limit_not_raised");
}

static void start_signal(struct service *service, uv_signal_t *handle, uv_signal_cb callback, int number)
{
    uv_signal_init(&service->loop, handle);
    handle->data = service;
    uv_signal_start(handle, callback, number);
}

static void start_loop(struct service *service)
{
    uv_loop_init(&service->loop);
    start_signal(service, &service->sigterm, on_end_signal, SIGTERM);
    start_signal(service, &service->sigint, on_end_signal, SIGINT);
    start_signal(service, &service->sighup, on_reload_signal, SIGHUP);
    uv_timer_init(&service->loop, &service->drain_deadline);
    service->drain_deadline.data = service;
    uv_timer_init(&service->loop, &service->drain_poll);
    service->drain_poll.data = service;
    uv_timer_init(&service->loop, &service->heartbeat);
    service->heartbeat.data = service;
    on_heartbeat(&service->heartbeat);
    uv_timer_start(&service->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
}

static void on_open_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        LOG_ERROR("handle_left_open", LOG_STR("type", uv_handle_type_name(handle->type)));
}

static void stop_loop(struct service *service)
{
    uv_close((uv_handle_t *)&service->sigterm, NULL);
    uv_close((uv_handle_t *)&service->sigint, NULL);
    uv_close((uv_handle_t *)&service->sighup, NULL);
    uv_close((uv_handle_t *)&service->drain_deadline, NULL);
    uv_close((uv_handle_t *)&service->drain_poll, NULL);
    uv_close((uv_handle_t *)&service->heartbeat, NULL);
    for (int i = 0; i < CLOSE_TURNS_MAX && uv_loop_alive(&service->loop); i++)
        uv_run(&service->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&service->loop) != 0)
        uv_walk(&service->loop, on_open_handle, NULL);
}

static void fill_groups(struct service *service)
{
    const struct service_app *app = service->app;
    ASSERT(app->group_count <= SERVICE_GROUPS_MAX);
    service->groups[0] = (struct settings_group){.title = "Every service",
                                                 .rows = service_setting_rows,
                                                 .count = service_setting_count,
                                                 .values = &service->settings,
                                                 .values_size = sizeof(service->settings)};
    for (size_t i = 0; i < app->group_count; i++)
        service->groups[i + 1] = app->groups[i];
    service->group_count = 1 + app->group_count;
}

static void name_instance(struct service *service)
{
    if (*service->settings.instance != '\0')
        return;
    struct strbuf name;
    strbuf_init(&name, 64);
    strbuf_appendf(&name, "%s-%08x", service->app->name, (unsigned)random_below(UINT32_MAX));
    mem_free(service->settings.instance);
    service->settings.instance = name.data;
}

static bool run(struct service *service)
{
    struct strbuf error;
    strbuf_init(&error, 256);
    bool is_started = admin_http_start(service, &error);
    if (is_started)
        is_started = service->app->start(service, &service->app_object, &error);
    if (is_started) {
        uv_run(&service->loop, UV_RUN_DEFAULT);
        service->app->stop(service->app_object);
    } else {
        LOG_ERROR("start_failed", LOG_STR("reason", error.data));
        fprintf(stderr, "%s: %s\n", service->app->name, error.data);
    }
    strbuf_finish(&error);
    return is_started;
}

int service_main(int argc, char **argv, const struct service_app *app)
{
    struct service *service = mem_alloc(sizeof(*service));
    *service = (struct service){.app = app, .argc = argc, .argv = argv};
    fill_groups(service);
    int exit_code = 2;
    if (!service_answer_option(service, &exit_code) && service_load_settings(service)) {
        name_instance(service);
        log_setup((enum log_level)service->settings.log_level, app->name, service->settings.instance);
        LOG_INFO("service_starting", LOG_STR("version", HANSOM_VERSION), LOG_INT("pid", getpid()));
        signal(SIGPIPE, SIG_IGN);
        raise_fd_limit();
        pthread_mutex_init(&service->lock, NULL);
        service->metrics = metrics_create(app->metrics, app->metric_count);
        start_loop(service);
        exit_code = run(service) ? service->exit_code : 1;
        admin_http_stop(service);
        stop_loop(service);
        metrics_destroy(&service->metrics);
        pthread_mutex_destroy(&service->lock);
        LOG_INFO("service_stopped", LOG_INT("exit_code", exit_code));
    }
    settings_free(service->groups, service->group_count);
    mem_free(service);
    return exit_code;
}
