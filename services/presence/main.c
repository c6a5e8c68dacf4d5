#include "presence_bus.h"
#include "presence_metrics.h"

static struct presence_settings settings;
static struct policy_settings policy;

static bool start(struct service *service, void **app_r, struct strbuf *error)
{
    return presence_bus_start(service, &settings, &policy, (struct presence_bus **)app_r, error);
}

static void drain(void *app)
{
    presence_bus_drain(app);
}

static void stop(void *app)
{
    presence_bus_stop(app);
}

int main(int argc, char **argv)
{
    const struct settings_group groups[] = {
        {"Presence", presence_setting_rows, presence_setting_count, &settings, sizeof(settings)},
        {"Location policy", policy_setting_rows, ARRAY_LEN(policy_setting_rows), &policy, sizeof(policy)},
    };
    const struct service_app app = {
        .name = "presence",
        .summary = "who is there: heartbeats, connections, policies",
        .groups = groups,
        .group_count = ARRAY_LEN(groups),
        .metrics = presence_metric_defs,
        .metric_count = PRESENCE_METRIC_COUNT,
        .start = start,
        .drain = drain,
        .stop = stop,
    };
    return service_main(argc, argv, &app);
}
