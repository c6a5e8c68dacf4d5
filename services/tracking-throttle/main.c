#include "throttle_bus.h"
#include "throttle_metrics.h"

static struct throttle_settings settings;
static struct policy_settings policy;

static bool start(struct service *service, void **app_r, struct strbuf *error)
{
    return throttle_bus_start(service, &settings, &policy, (struct throttle_bus **)app_r, error);
}

static void drain(void *app)
{
    throttle_bus_drain(app);
}

static void stop(void *app)
{
    throttle_bus_stop(app);
}

int main(int argc, char **argv)
{
    const struct settings_group groups[] = {
        {"Throttle", throttle_setting_rows, throttle_setting_count, &settings, sizeof(settings)},
        {"Location policy", policy_setting_rows, ARRAY_LEN(policy_setting_rows), &policy, sizeof(policy)},
    };
    const struct service_app app = {
        .name = "tracking-throttle",
        .summary = "live positions: refuses outliers, limits the rate, keeps the newest",
        .groups = groups,
        .group_count = ARRAY_LEN(groups),
        .metrics = throttle_metric_defs,
        .metric_count = THROTTLE_METRIC_COUNT,
        .start = start,
        .drain = drain,
        .stop = stop,
    };
    return service_main(argc, argv, &app);
}
