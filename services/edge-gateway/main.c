#include "gateway_app.h"

static struct gateway_settings settings;
static struct chat_settings chat_settings;

static bool check(struct strbuf *errors)
{
    if (settings.idle_timeout_ms > settings.ping_interval_ms)
        return true;
    strbuf_append_string(errors, "idle_timeout_ms: must be larger than ping_interval_ms\n");
    return false;
}

static bool start(struct service *service, void **app_r, struct strbuf *error)
{
    return gateway_start(service, &settings, &chat_settings, (struct gateway **)app_r, error);
}

static void reload(void *app)
{
    gateway_reload(app);
}

static void drain(void *app)
{
    gateway_drain(app);
}

static void stop(void *app)
{
    gateway_stop(app);
}

int main(int argc, char **argv)
{
    const struct settings_group groups[] = {
        {"Gateway", gateway_setting_rows, gateway_setting_count, &settings, sizeof(settings)},
        {"Chat", chat_setting_rows, chat_setting_count, &chat_settings, sizeof(chat_settings)},
    };
    const struct service_app app = {
        .name = "edge-gateway",
        .summary = "WebSocket for apps: connects, checks rights, fans out",
        .groups = groups,
        .group_count = ARRAY_LEN(groups),
        .metrics = gateway_metric_defs,
        .metric_count = GATEWAY_METRIC_COUNT,
        .check = check,
        .start = start,
        .drain = drain,
        .stop = stop,
        .reload = reload,
    };
    return service_main(argc, argv, &app);
}
