#ifndef HANSOM_SERVICE_H
#define HANSOM_SERVICE_H
/*
 * The skeleton of a service: arguments, settings, logs, the libuv loop, signals, drain and the admin port, once. A
 * service's main() calls service_main with one struct of functions.
 *
 * Life: settings -> start() -> loop -> SIGTERM/SIGINT: drain() -> service_drained() or drain_timeout_ms -> stop() ->
 * exit. A second signal exits at once with 1. SIGHUP: reload() after the reloadable settings were read again.
 * --help, --version, --print-config, --check-config, --print-config-markdown, --print-metrics-markdown are answered
 * here. Exit codes: 0 drained, 1 failure at run time, 2 usage or settings.
 */
#include <uv.h>

#include "base/strbuf.h"
#include "metrics/metrics.h"
#include "settings/settings.h"

#define SERVICE_GROUPS_MAX 3

struct service;

/* Settings that every service has; filled by service_main. */
struct service_settings {
    char *instance;
    char *admin_address;
    int64_t admin_port;
    int log_level;
    int64_t drain_timeout_ms;
    char *nats_url, *nats_user, *nats_password;
    int64_t nats_replicas;
};

struct service_app {
    const char *name;                    /* "edge-gateway" */
    const char *summary;                 /* one line for --help */
    const struct settings_group *groups; /* of the service's own settings; values are filled before start */
    size_t group_count;                  /* at most SERVICE_GROUPS_MAX */
    const struct metric_def *metrics;
    size_t metric_count;

    /* Checks that need more than one setting (also run by --check-config). Appends lines to errors; may be NULL. */
    bool (*check)(struct strbuf *errors);
    /* Everything up to listening; false: `error` says what is missing, and what was started is undone by start
     * itself. The object made goes to *app_r and is passed to the other functions. */
    bool (*start)(struct service *service, void **app_r, struct strbuf *error);
    /* Begin to drain: not ready, stop accepting, tell clients. Call service_drained when nothing is left, or let
     * is_drained say it. May be NULL. */
    void (*drain)(void *app);
    /* Asked every 20 ms once it drains; may be NULL. */
    bool (*is_drained)(void *app);
    /* Undo start, in reverse order. The loop still turns once afterwards for close callbacks. */
    void (*stop)(void *app);
    /* SIGHUP, after the reloadable settings were replaced; may be NULL. */
    void (*reload)(void *app);
};

/* Runs it; returns the exit code for main. */
int service_main(int argc, char **argv, const struct service_app *app);

uv_loop_t *service_loop(struct service *service);
struct metrics *service_metrics(struct service *service);
const struct service_settings *service_settings(const struct service *service);
/* Readiness: a service is ready when every condition that was ever set is true and it is not draining. /readyz lists
 * the conditions that are not. `condition` must be a literal. Loop thread only. */
void service_set_condition(struct service *service, const char *condition, bool is_met);
bool service_is_ready(const struct service *service);
bool service_is_draining(const struct service *service);
/* The drain is done. */
void service_drained(struct service *service);
/* A fault that cannot be survived: logs the event with the reason and ends with exit code 1 after stop(). */
void service_fail(struct service *service, const char *event, const char *reason);
/* The admin port that was taken (after start). */
uint16_t service_admin_port(const struct service *service);

#endif
