#ifndef HANSOM_SERVICE_PRIV_H
#define HANSOM_SERVICE_PRIV_H
#include <pthread.h>
#include <stdatomic.h>

#include "service/service.h"

#define CONDITIONS_MAX 8

struct condition {
    const char *name;
    bool is_met;
};

struct MHD_Daemon;

struct service {
    const struct service_app *app;
    void *app_object;
    uv_loop_t loop;
    uv_signal_t sigterm, sigint, sighup;
    uv_timer_t heartbeat, drain_deadline, drain_poll;
    struct metrics *metrics;
    struct service_settings settings;
    struct settings_group groups[1 + SERVICE_GROUPS_MAX]; /* the common ones first */
    size_t group_count;
    int argc;
    char **argv;
    int exit_code;
    bool was_ready;

    struct MHD_Daemon *admin;
    uint16_t admin_port;
    /* Read by the admin port's thread. */
    pthread_mutex_t lock; /* over conditions */
    struct condition conditions[CONDITIONS_MAX];
    size_t condition_count;
    atomic_bool is_draining;
    atomic_uint_least64_t loop_seen_ms;
};

/* service_options.c: --help and its like. */
extern const struct setting service_setting_rows[];
extern const size_t service_setting_count;
/* Answers an option that ends the program; false: there is none, and *exit_code_r is not
 * touched. Otherwise it is what to end with. */
bool service_answer_option(struct service *service, int *exit_code_r);
/* Fills the settings; false: said on stderr. */
bool service_load_settings(struct service *service);
void service_reload_settings(struct service *service);

/* admin_http.c */
bool admin_http_start(struct service *service, struct strbuf *error);
void admin_http_stop(struct service *service);

#endif
