#include "gateway_metrics.h"

#include "wire/wire.h"

static const char *const platforms[] = {"ios", "android", "web", "other", NULL};
static const char *const connect_outcomes[] = {"ok", "unauthorized", "revoked", "unavailable", "timeout", NULL};
static const char *const refusals[] = {"total", "address", "rate", "draining", "descriptors", NULL};
static const char *const op_names[] = {
#define CLIENT_OP(name) #name,
#include "wire/client_ops.def"
#undef CLIENT_OP
    "malformed", NULL};
/* In the order of enum channel_kind. */
static const char *const kind_names[] = {"tracking",        "chat", "booking_presence", "events", "heartbeat",
                                         "driver_presence", NULL};
static const char *const finding_names[] = {"phone", "email", "link", "card", "blocked", NULL};
static const char *const chat_refusals[] = {"content", "rate", "rights", "unavailable", NULL};
static const char *const replay_outcomes[] = {"recovered", "tail", "failed", NULL};
static const char *const ack_outcomes[] = {"stored", "refused", "retried", "dropped", NULL};
static const char *const error_names[] = {"none",
#define ERROR_CODE(name, http_status, may_retry, title) #name,
#include "wire/errors.def"
#undef ERROR_CODE
                                          NULL};

#define COUNTER_BUCKETS NULL, 0
#define GAUGE_BUCKETS NULL, 0
#define HISTOGRAM_BUCKETS METRIC_LATENCY_SECONDS, 16
const struct metric_def gateway_metric_defs[GATEWAY_METRIC_COUNT] = {
#define ROW(id, full_name, type, text, label0, values0, label1, values1)                                               \
    {full_name, METRIC_##type, text, {{label0, values0}, {label1, values1}}, type##_BUCKETS},
    GATEWAY_METRICS(ROW)
#undef ROW
};

unsigned platform_label(const char *platform)
{
    unsigned other = ARRAY_LEN(platforms) - 2;
    for (unsigned i = 0; i < other; i++)
        if (str_equal(platforms[i], platform))
            return i;
    return other;
}
