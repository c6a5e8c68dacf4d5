/* Makes the streams, buckets and consumers of proto/streams.def, one after another, at every connect. */
#include <cjson/cJSON.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "bus/bus_priv.h"
#include "log/log.h"
#include "proto/stream_limits.h"

#define REQUEST_TIMEOUT_MS 3000
#define RETRY_BASE_MS 100
#define RETRY_CAP_MS 2000
#define NANOSECONDS_PER_MS 1000000ull
#define DUPLICATE_WINDOW_MS 120000
/* JSStreamNameExistErr of nats-server's errors.json: it is there with another configuration. */
#define ERR_STREAM_EXISTS 10058

#define NANOSECONDS_PER_S 1000000000ull

struct stream_row {
    const char *name, *subjects, *storage, *retention;
    int64_t max_messages_per_subject;
    uint64_t max_age_ms, duplicate_window_ms;
    const char *republish_source, *republish_destination;
    bool is_bucket;
};

static const struct stream_row rows[] = {
#define STREAM(name, subject, storage, retention, per_subject, max_age_s, duplicate_s, source, destination)            \
    {#name,  subject,     #storage, #retention, per_subject, (max_age_s)*1000ull, (duplicate_s)*1000ull,               \
     source, destination, false},
#define BUCKET(name, storage, ttl_ms)                                                                                  \
    {"KV_" #name, "$KV." #name ".>", #storage, "limits", 1, ttl_ms, 0, NULL, NULL, true},
#include "proto/streams.def"
};

static const struct consumer_row {
    const char *stream, *name;
    uint64_t ack_wait_s;
    int max_ack_pending;
    const char *deliver;
} consumers[] = {
#define CONSUMER(stream, name, ack_wait_s, max_ack_pending, deliver)                                                   \
    {#stream, #name, ack_wait_s, max_ack_pending, #deliver},
#include "proto/streams.def"
};

struct bus_topology {
    struct bus *bus;
    uv_timer_t retry;
    struct bus_request *request;
    size_t next; /* of the streams, then of the consumers */
    uint32_t attempt;
    uint64_t epochs[ARRAY_LEN(rows)];
};

static void ask_next(struct bus_topology *topology);

static uint64_t window_ms(const struct stream_row *row)
{
    uint64_t window = row->duplicate_window_ms > 0 ? row->duplicate_window_ms : DUPLICATE_WINDOW_MS;
    return row->max_age_ms > 0 && window > row->max_age_ms ? row->max_age_ms : window;
}

static void write_config(struct json_writer *json, const struct stream_row *row, int replicas)
{
    json_begin_object(json);
    json_kv_string(json, "name", row->name);
    json_key(json, "subjects");
    json_begin_array(json);
    json_string(json, row->subjects);
    json_end_array(json);
    json_kv_string(json, "storage", row->storage);
    json_kv_string(json, "retention", row->retention);
    json_kv_string(json, "discard", row->is_bucket ? "new" : "old");
    json_kv_int(json, "max_msgs_per_subject", row->max_messages_per_subject);
    json_kv_int(json, "max_msgs", -1);
    json_kv_int(json, "max_bytes", -1);
    json_kv_int(json, "max_consumers", -1);
    json_kv_uint(json, "max_age", row->max_age_ms * NANOSECONDS_PER_MS);
    json_kv_uint(json, "duplicate_window", window_ms(row) * NANOSECONDS_PER_MS);
    json_kv_int(json, "num_replicas", replicas);
    json_kv_bool(json, "allow_direct", true);
    if (row->is_bucket)
        json_kv_bool(json, "allow_rollup_hdrs", true);
    if (row->republish_source != NULL) {
        json_key(json, "republish");
        json_begin_object(json);
        json_kv_string(json, "src", row->republish_source);
        json_kv_string(json, "dest", row->republish_destination);
        json_end_object(json);
    }
    json_end_object(json);
}

static void on_retry(uv_timer_t *timer)
{
    ask_next(timer->data);
}

static void try_later(struct bus_topology *topology)
{
    uint64_t wait_ms = backoff_full_jitter_ms(topology->attempt++, RETRY_BASE_MS, RETRY_CAP_MS);
    uv_timer_start(&topology->retry, on_retry, wait_ms, 0);
}

/* 0: no error in the answer. */
static int error_code(natsMsg *message)
{
    cJSON *root = bus_json(message);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "err_code");
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(error, "description");
    int result = root == NULL ? -1 : cJSON_IsNumber(code) ? (int)code->valuedouble : error != NULL ? -1 : 0;
    if (result != 0 && result != ERR_STREAM_EXISTS)
        LOG_WARN("stream_not_ready", LOG_INT("err_code", result), LOG_STR("error", cJSON_GetStringValue(text)));
    cJSON_Delete(root);
    return result;
}

/* When the stream was made tells it apart from a later one of the same name. */
static void note_epoch(struct bus_topology *topology, natsMsg *message)
{
    cJSON *root = bus_json(message);
    const char *created = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "created"));
    int64_t created_ms = 0;
    if (created == NULL || !rfc3339_parse(created, strlen(created), &created_ms))
        LOG_WARN("stream_without_epoch", LOG_STR("stream", rows[topology->next].name));
    topology->epochs[topology->next] = (uint64_t)created_ms;
    cJSON_Delete(root);
}

uint64_t bus_stream_epoch(const struct bus *bus, const char *stream)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_equal(rows[i].name, stream))
            return bus->topology->epochs[i];
    return 0;
}

static void row_done(struct bus_topology *topology)
{
    topology->attempt = 0;
    topology->next++;
    ask_next(topology);
}

static void on_updated(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    struct bus_topology *topology = request->context;
    topology->request = NULL;
    if (status != BUS_OK || error_code(message) != 0) {
        try_later(topology);
        return;
    }
    note_epoch(topology, message);
    row_done(topology);
}

static void send_request(struct bus_topology *topology, const char *subject, const struct strbuf *body,
                         bus_raw_reply_cb *callback)
{
    struct bus_outgoing outgoing = {
        .subject = subject, .data = body->data, .length = body->length, .before_topology = true};
    topology->request = bus_request_send(topology->bus, &outgoing, REQUEST_TIMEOUT_MS, callback, topology);
}

static void send_config(struct bus_topology *topology, const char *verb, bus_raw_reply_cb *callback)
{
    const struct stream_row *row = &rows[topology->next];
    char subject[128];
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.%s", verb, row->name);
    struct strbuf body;
    strbuf_init(&body, 512);
    struct json_writer json;
    json_writer_init(&json, &body);
    write_config(&json, row, topology->bus->replicas);
    send_request(topology, subject, &body, callback);
    strbuf_finish(&body);
}

static void on_created(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    struct bus_topology *topology = request->context;
    topology->request = NULL;
    int code = status == BUS_OK ? error_code(message) : -1;
    if (code == 0) {
        note_epoch(topology, message);
        row_done(topology);
    } else if (code == ERR_STREAM_EXISTS) {
        send_config(topology, "UPDATE", on_updated);
    } else {
        try_later(topology);
    }
}

static void on_consumer(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    struct bus_topology *topology = request->context;
    topology->request = NULL;
    if (status == BUS_OK && error_code(message) == 0)
        row_done(topology);
    else
        try_later(topology);
}

/* Makes it, or brings the one that is there up to date. */
static void send_consumer(struct bus_topology *topology, const struct consumer_row *row)
{
    char subject[128];
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DURABLE.CREATE.%s.%s", row->stream, row->name);
    struct strbuf body;
    strbuf_init(&body, 512);
    struct json_writer json;
    json_writer_init(&json, &body);
    json_begin_object(&json);
    json_kv_string(&json, "stream_name", row->stream);
    json_key(&json, "config");
    json_begin_object(&json);
    json_kv_string(&json, "durable_name", row->name);
    json_kv_string(&json, "deliver_policy", row->deliver);
    json_kv_string(&json, "ack_policy", "explicit");
    json_kv_string(&json, "replay_policy", "instant");
    json_kv_uint(&json, "ack_wait", row->ack_wait_s * NANOSECONDS_PER_S);
    json_kv_int(&json, "max_deliver", -1);
    json_kv_int(&json, "max_ack_pending", row->max_ack_pending);
    json_end_object(&json);
    json_end_object(&json);
    send_request(topology, subject, &body, on_consumer);
    strbuf_finish(&body);
}

static void ask_next(struct bus_topology *topology)
{
    if (topology->next < ARRAY_LEN(rows))
        send_config(topology, "CREATE", on_created);
    else if (topology->next < ARRAY_LEN(rows) + ARRAY_LEN(consumers))
        send_consumer(topology, &consumers[topology->next - ARRAY_LEN(rows)]);
    else
        bus_set_connected(topology->bus);
}

struct bus_topology *bus_topology_create(struct bus *bus)
{
    struct bus_topology *topology = mem_alloc(sizeof(*topology));
    topology->bus = bus;
    uv_timer_init(bus->loop, &topology->retry);
    topology->retry.data = topology;
    return topology;
}

void bus_topology_start(struct bus_topology *topology)
{
    bus_topology_stop(topology);
    topology->next = 0;
    topology->attempt = 0;
    ask_next(topology);
}

void bus_topology_stop(struct bus_topology *topology)
{
    uv_timer_stop(&topology->retry);
    bus_request_cancel(&topology->request);
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void bus_topology_destroy(struct bus_topology **topology_pointer)
{
    struct bus_topology *topology = *topology_pointer;
    *topology_pointer = NULL;
    if (topology == NULL)
        return;
    bus_topology_stop(topology);
    uv_close((uv_handle_t *)&topology->retry, on_closed);
}
