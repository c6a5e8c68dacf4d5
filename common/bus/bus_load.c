/* All last messages of a filter, through one short-lived push consumer without acknowledgements. (NATS ADR-17.) */
#include <cjson/cJSON.h>

#include "base/ids.h"
#include "base/json_writer.h"
#include "bus/bus_priv.h"
#include "log/log.h"

#define CREATE_TIMEOUT_MS 5000
#define SILENCE_TIMEOUT_MS 5000
#define CONSUMER_INACTIVE_NS 5000000000ull

struct bus_load {
    struct list_node node;
    struct bus *bus;
    struct bus_subscription *inbox;
    struct bus_request *request;
    uv_timer_t silence;
    bus_message_cb *on_item;
    bus_load_done_cb *on_done;
    void *context;
    uint64_t received, expected;
    bool is_expected_known;
};

static void on_silence_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void load_free(struct bus_load *load)
{
    list_remove(&load->node);
    bus_request_cancel(&load->request);
    bus_unsubscribe(&load->inbox);
    uv_close((uv_handle_t *)&load->silence, on_silence_closed);
}

static void load_finish(struct bus_load *load, enum bus_status status)
{
    bus_load_done_cb *on_done = load->on_done;
    void *context = load->context;
    load_free(load);
    on_done(context, status);
}

static void on_silence(uv_timer_t *timer)
{
    load_finish(timer->data, BUS_TIMEOUT);
}

static void finish_if_complete(struct bus_load *load)
{
    if (load->is_expected_known && load->received >= load->expected)
        load_finish(load, BUS_OK);
}

static void on_load_message(void *context, const struct bus_message *message)
{
    struct bus_load *load = context;
    load->received++;
    uv_timer_again(&load->silence);
    struct bus_message item = *message;
    struct bus_ack_subject ack = bus_ack_subject(message->reply);
    item.sequence = ack.stream_sequence;
    item.stored_at_ms = ack.stored_at_ms;
    if (item.length > 0) /* an empty one is a deleted key */
        load->on_item(load->context, &item);
    finish_if_complete(load);
}

static void on_consumer_created(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    struct bus_load *load = request->context;
    load->request = NULL;
    if (status != BUS_OK) {
        load_finish(load, status);
        return;
    }
    cJSON *root = bus_json(message);
    bool is_refused = root == NULL || cJSON_GetObjectItemCaseSensitive(root, "error") != NULL;
    load->expected = bus_json_uint(root, "num_pending") +
                     bus_json_uint(cJSON_GetObjectItemCaseSensitive(root, "delivered"), "consumer_seq");
    cJSON_Delete(root);
    if (is_refused) {
        load_finish(load, BUS_ERROR);
        return;
    }
    load->is_expected_known = true;
    finish_if_complete(load);
}

static void write_consumer(struct json_writer *json, const char *stream, const char *filter, const char *inbox)
{
    json_begin_object(json);
    json_kv_string(json, "stream_name", stream);
    json_key(json, "config");
    json_begin_object(json);
    json_kv_string(json, "deliver_subject", inbox);
    json_kv_string(json, "deliver_policy", "last_per_subject");
    json_kv_string(json, "ack_policy", "none");
    json_kv_string(json, "replay_policy", "instant");
    json_kv_string(json, "filter_subject", filter);
    json_kv_int(json, "max_deliver", 1);
    json_kv_int(json, "num_replicas", 1);
    json_kv_bool(json, "mem_storage", true);
    json_kv_uint(json, "inactive_threshold", CONSUMER_INACTIVE_NS);
    json_end_object(json);
    json_end_object(json);
}

static void create_consumer(struct bus_load *load, const char *stream, const char *filter, const char *inbox)
{
    char subject[128];
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.CREATE.%s", stream);
    struct strbuf body;
    strbuf_init(&body, 512);
    struct json_writer json;
    json_writer_init(&json, &body);
    write_consumer(&json, stream, filter, inbox);
    struct bus_outgoing outgoing = {.subject = subject, .data = body.data, .length = body.length};
    load->request = bus_request_send(load->bus, &outgoing, CREATE_TIMEOUT_MS, on_consumer_created, load);
    strbuf_finish(&body);
}

struct bus_load *bus_load_last(struct bus *bus, const char *stream, const char *filter_subject, bus_message_cb *on_item,
                               bus_load_done_cb *on_done, void *context)
{
    struct bus_load *load = mem_alloc(sizeof(*load));
    load->bus = bus;
    load->on_item = on_item;
    load->on_done = on_done;
    load->context = context;
    list_append(&bus->loads, &load->node);
    uv_timer_init(bus->loop, &load->silence);
    load->silence.data = load;
    uv_timer_start(&load->silence, on_silence, CREATE_TIMEOUT_MS + SILENCE_TIMEOUT_MS, SILENCE_TIMEOUT_MS);
    char inbox[80], random_id[UUID_SIZE];
    uuid_generate(random_id);
    snprintf(inbox, sizeof(inbox), "_INBOX.hansom.load.%s", random_id);
    load->inbox = bus_subscribe(bus, inbox, NULL, on_load_message, load);
    create_consumer(load, stream, filter_subject, inbox);
    return load;
}

void bus_load_cancel(struct bus_load **load_pointer)
{
    struct bus_load *load = *load_pointer;
    *load_pointer = NULL;
    if (load != NULL)
        load_free(load);
}

void bus_loads_fail_all(struct bus *bus)
{
    while (!list_is_empty(&bus->loads)) {
        struct bus_load *load = CONTAINER_OF(bus->loads.next, struct bus_load, node);
        if (bus->is_destroying)
            load_free(load);
        else
            load_finish(load, BUS_DISCONNECTED);
    }
}
