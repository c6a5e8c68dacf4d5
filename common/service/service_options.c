#include <stdio.h>

#include "log/log.h"
#include "service/service_priv.h"

static const char *const log_level_names[] = {"debug", "info", "warn", "error", NULL};

#define S struct service_settings
const struct setting service_setting_rows[] = {
    SETTING_STRING(S, instance, "", 100, "Stable name of this replica; empty: service name and random digits", 0),
    SETTING_STRING(S, admin_address, "127.0.0.1", 64, "Address of the admin port", 0),
    SETTING_INT(S, admin_port, 0, 0, 65535, "", "Port of /metrics, /healthz and /readyz; 0: any free one", 0),
    SETTING_ENUM(S, log_level, "info", log_level_names, "Least level that is logged", SETTING_RELOADABLE),
    SETTING_INT(S, drain_timeout_ms, 10000, 0, 600000, "ms", "A drain that lasts longer is cut", 0),
    SETTING_STRING(S, nats_url, "nats://127.0.0.1:4222", 1000, "NATS servers, comma separated", SETTING_REQUIRED),
    SETTING_STRING(S, nats_user, "", 200, "NATS user; empty: none", 0),
    SETTING_STRING(S, nats_password, "", 500, "NATS password", SETTING_SECRET),
    SETTING_INT(S, nats_replicas, 1, 1, 5, "", "Replicas of the streams and buckets", 0),
};
const size_t service_setting_count = ARRAY_LEN(service_setting_rows);
#undef S

static void print_text(struct strbuf *text)
{
    fwrite(text->data, 1, text->length, stdout);
    fflush(stdout);
}

static void append_help(const struct service *service, struct strbuf *out)
{
    strbuf_appendf(out,
                   "%s %s: %s\n\nUsage: %s [--config FILE] [--name=value ...]\n"
                   "Each setting can also be given as HANSOM_NAME in the environment; the command line wins.\n\n"
                   "  --help  --version  --print-config  --check-config\n"
                   "  --print-config-markdown  --print-metrics-markdown\n",
                   service->app->name, HANSOM_VERSION, service->app->summary, service->app->name);
    settings_help(service->groups, service->group_count, out);
}

static bool has_option(const struct service *service, const char *option)
{
    for (int i = 1; i < service->argc; i++)
        if (str_equal(service->argv[i], option))
            return true;
    return false;
}

/* Takes the option out, so that the settings do not see it. */
static bool take_option(struct service *service, const char *option)
{
    for (int i = 1; i < service->argc; i++) {
        if (!str_equal(service->argv[i], option))
            continue;
        memmove(service->argv + i, service->argv + i + 1, (size_t)(service->argc - i - 1) * sizeof(*service->argv));
        service->argc--;
        return true;
    }
    return false;
}

static bool answer_plain(struct service *service, struct strbuf *out)
{
    if (has_option(service, "--help"))
        append_help(service, out);
    else if (has_option(service, "--version"))
        strbuf_appendf(out, "%s %s\n", service->app->name, HANSOM_VERSION);
    else if (has_option(service, "--print-config-markdown"))
        settings_markdown(service->groups, service->group_count, out);
    else if (has_option(service, "--print-metrics-markdown"))
        metrics_markdown(service->app->metrics, service->app->metric_count, out);
    else
        return false;
    return true;
}

bool service_answer_option(struct service *service, int *exit_code_r)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    bool is_answered = answer_plain(service, &out), is_good = true;
    bool is_print = !is_answered && take_option(service, "--print-config");
    bool is_check = !is_answered && take_option(service, "--check-config");
    if (is_print || is_check) {
        is_answered = true;
        is_good = service_load_settings(service);
        if (is_good && is_print)
            settings_print(service->groups, service->group_count, &out);
        else if (is_good)
            strbuf_append_string(&out, "ok\n");
    }
    if (is_answered)
        *exit_code_r = is_good ? 0 : 2;
    print_text(&out);
    strbuf_finish(&out);
    return is_answered;
}

bool service_load_settings(struct service *service)
{
    struct strbuf errors;
    strbuf_init(&errors, 256);
    bool is_good = settings_load(service->groups, service->group_count, service->argc - 1, service->argv + 1, &errors);
    if (is_good && service->app->check != NULL)
        is_good = service->app->check(&errors);
    if (!is_good)
        fprintf(stderr, "%s: the settings are not usable:\n%s", service->app->name, errors.data);
    strbuf_finish(&errors);
    return is_good;
}

/* Copies what may change without a restart, tells what may not. */
static void apply_row(const struct setting *row, char *values, char *fresh)
{
    static const size_t sizes[] = {sizeof(int64_t), sizeof(double), sizeof(bool), sizeof(char *), sizeof(int)};
    void *current = values + row->offset, *wanted = fresh + row->offset;
    bool is_same = row->type == SETTING_TYPE_STRING ? str_equal(*(char **)current, *(char **)wanted)
                                                    : memcmp(current, wanted, sizes[row->type]) == 0;
    if (is_same)
        return;
    if ((row->flags & SETTING_RELOADABLE) == 0) {
        LOG_WARN("setting_needs_restart", LOG_STR("setting", row->name));
        return;
    }
    char swap[sizeof(int64_t)];
    memcpy(swap, current, sizes[row->type]);
    memcpy(current, wanted, sizes[row->type]);
    memcpy(wanted, swap, sizes[row->type]);
    LOG_INFO("setting_changed", LOG_STR("setting", row->name));
}

void service_reload_settings(struct service *service)
{
    struct settings_group fresh[1 + SERVICE_GROUPS_MAX];
    for (size_t g = 0; g < service->group_count; g++) {
        fresh[g] = service->groups[g];
        fresh[g].values = mem_alloc(fresh[g].values_size);
    }
    struct strbuf errors;
    strbuf_init(&errors, 256);
    bool is_good = settings_load(fresh, service->group_count, service->argc - 1, service->argv + 1, &errors);
    for (size_t g = 0; g < service->group_count && is_good; g++)
        for (size_t i = 0; i < fresh[g].count; i++)
            if (!str_equal(fresh[g].rows[i].name, "instance"))
                apply_row(&fresh[g].rows[i], service->groups[g].values, fresh[g].values);
    if (!is_good)
        LOG_WARN("settings_not_reloaded", LOG_STR("errors", errors.data));
    log_set_level((enum log_level)service->settings.log_level);
    settings_free(fresh, service->group_count);
    for (size_t g = 0; g < service->group_count; g++)
        mem_free(fresh[g].values);
    strbuf_finish(&errors);
}
