/* JetStream over plain requests: publish with acknowledgement, direct gets, keys. (NATS ADR-8, ADR-31.) */
#include <cjson/cJSON.h>

#include "base/json_writer.h"
#include "bus/bus_priv.h"
#include "log/log.h"

/* JSStreamWrongLastSequenceErrF of nats-server's errors.json. */
#define ERR_WRONG_LAST_SEQUENCE 10071
#define STATUS_NOT_FOUND 404

#define ACK_TOKENS_SHORT 9 /* without domain and account hash */

static uint64_t ack_token(const char *reply, unsigned index)
{
    char token[32];
    return bus_subject_token(reply, index, token, sizeof(token)) ? strtoull(token, NULL, 10) : 0;
}

/* $JS.ACK[.<domain>.<account>].<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time ns>.<pending>[.<x>]
 * (NATS ADR-15) */
struct bus_ack_subject bus_ack_subject(const char *reply)
{
    if (reply == NULL || strncmp(reply, "$JS.ACK.", 8) != 0)
        return (struct bus_ack_subject){0};
    unsigned tokens = 1;
    for (const char *at = reply; *at != '\0'; at++)
        tokens += *at == '.';
    unsigned first = tokens > ACK_TOKENS_SHORT ? 6 : 4;
    return (struct bus_ack_subject){
        .delivered = ack_token(reply, first),
        .stream_sequence = ack_token(reply, first + 1),
        .stored_at_ms = (int64_t)(ack_token(reply, first + 3) / 1000000ull),
        .pending = ack_token(reply, first + 4),
    };
}

cJSON *bus_json(natsMsg *message)
{
    return cJSON_ParseWithLength(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
}

uint64_t bus_json_uint(const cJSON *object, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(field) && field->valuedouble > 0 ? (uint64_t)field->valuedouble : 0;
}

static enum bus_status ack_error(const cJSON *error)
{
    if (bus_json_uint(error, "err_code") == ERR_WRONG_LAST_SEQUENCE)
        return BUS_CONFLICT;
    LOG_WARN("bus_store_refused", LOG_INT("err_code", bus_json_uint(error, "err_code")),
             LOG_STR("error", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "description"))));
    return BUS_ERROR;
}

static enum bus_status parse_ack(natsMsg *message, struct bus_ack *ack_r)
{
    cJSON *root = bus_json(message);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    enum bus_status status = root == NULL ? BUS_ERROR : error != NULL ? ack_error(error) : BUS_OK;
    if (status == BUS_OK) {
        ack_r->sequence = bus_json_uint(root, "seq");
        ack_r->is_duplicate = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "duplicate"));
    }
    cJSON_Delete(root);
    return status;
}

static void on_ack(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    struct bus_ack ack = {0};
    if (status == BUS_OK)
        status = parse_ack(message, &ack);
    request->callback.ack(request->context, status, status == BUS_OK ? &ack : NULL);
}

struct bus_request *bus_store(struct bus *bus, const char *subject, const char *message_id, uint64_t expected_revision,
                              const void *data, size_t length, uint32_t timeout_ms, bus_ack_cb *callback, void *context)
{
    struct bus_outgoing outgoing = {.subject = subject, .data = data, .length = length};
    size_t headers = 0;
    char revision[24];
    if (message_id != NULL)
        outgoing.headers[headers++] = (struct bus_header){"Nats-Msg-Id", message_id};
    if (expected_revision != BUS_ANY_REVISION) {
        snprintf(revision, sizeof(revision), "%llu", (unsigned long long)expected_revision);
        outgoing.headers[headers] = (struct bus_header){"Nats-Expected-Last-Subject-Sequence", revision};
    }
    struct bus_request *request = bus_request_send(bus, &outgoing, timeout_ms, on_ack, context);
    request->callback.ack = callback;
    return request;
}

struct bus_request *bus_kv_delete(struct bus *bus, const char *bucket, const char *key, uint32_t timeout_ms,
                                  bus_ack_cb *callback, void *context)
{
    char subject[256];
    snprintf(subject, sizeof(subject), "$KV.%s.%s", bucket, key);
    struct bus_outgoing outgoing = {.subject = subject, .data = "", .headers = {{"KV-Operation", "DEL"}}};
    struct bus_request *request = bus_request_send(bus, &outgoing, timeout_ms, on_ack, context);
    request->callback.ack = callback;
    return request;
}

static bool is_delete_marker(natsMsg *message)
{
    const char *operation = NULL;
    return natsMsgHeader_Get(message, "KV-Operation", &operation) == NATS_OK &&
           (str_equal(operation, "DEL") || str_equal(operation, "PURGE"));
}

static void on_direct(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    if (status == BUS_OK) {
        int code = bus_header_status(message);
        if (code == STATUS_NOT_FOUND || is_delete_marker(message))
            status = BUS_NOT_FOUND;
        else if (code != 0)
            status = BUS_ERROR;
    }
    struct bus_message view;
    if (status == BUS_OK) {
        bus_message_view(message, &view);
        natsMsgHeader_Get(message, "Nats-Subject", &view.subject); /* instead of our inbox */
    }
    request->callback.reply(request->context, status, status == BUS_OK ? &view : NULL);
}

static struct bus_request *direct_get(struct bus *bus, const char *stream, const struct strbuf *body,
                                      uint32_t timeout_ms, bus_reply_cb *callback, void *context)
{
    char subject[256];
    snprintf(subject, sizeof(subject), "$JS.API.DIRECT.GET.%s", stream);
    struct bus_outgoing outgoing = {.subject = subject, .data = body->data, .length = body->length};
    struct bus_request *request = bus_request_send(bus, &outgoing, timeout_ms, on_direct, context);
    request->callback.reply = callback;
    return request;
}

struct bus_request *bus_get_last(struct bus *bus, const char *stream, const char *subject, uint32_t timeout_ms,
                                 bus_reply_cb *callback, void *context)
{
    struct strbuf body;
    strbuf_init(&body, 256);
    struct json_writer json;
    json_writer_init(&json, &body);
    json_begin_object(&json);
    json_kv_string(&json, "last_by_subj", subject);
    json_end_object(&json);
    struct bus_request *request = direct_get(bus, stream, &body, timeout_ms, callback, context);
    strbuf_finish(&body);
    return request;
}

struct bus_request *bus_get_next(struct bus *bus, const char *stream, const char *subject, uint64_t sequence,
                                 uint32_t timeout_ms, bus_reply_cb *callback, void *context)
{
    struct strbuf body;
    strbuf_init(&body, 256);
    struct json_writer json;
    json_writer_init(&json, &body);
    json_begin_object(&json);
    json_kv_uint(&json, "seq", sequence);
    json_kv_string(&json, "next_by_subj", subject);
    json_end_object(&json);
    struct bus_request *request = direct_get(bus, stream, &body, timeout_ms, callback, context);
    strbuf_finish(&body);
    return request;
}

struct bus_request *bus_kv_get(struct bus *bus, const char *bucket, const char *key, uint32_t timeout_ms,
                               bus_reply_cb *callback, void *context)
{
    char stream[64], subject[256];
    snprintf(stream, sizeof(stream), "KV_%s", bucket);
    snprintf(subject, sizeof(subject), "$KV.%s.%s", bucket, key);
    return bus_get_last(bus, stream, subject, timeout_ms, callback, context);
}

struct bus_request *bus_delete_sequence(struct bus *bus, const char *stream, uint64_t sequence, uint32_t timeout_ms,
                                        bus_reply_cb *callback, void *context)
{
    char subject[128], body[64];
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.MSG.DELETE.%s", stream);
    int length = snprintf(body, sizeof(body), "{\"seq\":%llu,\"no_erase\":true}", (unsigned long long)sequence);
    return bus_request(bus, subject, body, (size_t)length, timeout_ms, callback, context);
}

static void on_purged(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    cJSON *root = status == BUS_OK ? bus_json(message) : NULL;
    if (status == BUS_OK && !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "success")))
        status = BUS_ERROR;
    cJSON_Delete(root);
    request->callback.reply(request->context, status, NULL);
}

struct bus_request *bus_purge_subject(struct bus *bus, const char *stream, const char *subject, uint32_t timeout_ms,
                                      bus_reply_cb *callback, void *context)
{
    char api_subject[128], body[256];
    snprintf(api_subject, sizeof(api_subject), "$JS.API.STREAM.PURGE.%s", stream);
    int length = snprintf(body, sizeof(body), "{\"filter\":\"%s\"}", subject);
    struct bus_outgoing outgoing = {.subject = api_subject, .data = body, .length = (size_t)length};
    struct bus_request *request = bus_request_send(bus, &outgoing, timeout_ms, on_purged, context);
    request->callback.reply = callback;
    return request;
}

static void on_info(struct bus_request *request, enum bus_status status, natsMsg *message)
{
    struct bus_consumer_info info = {0};
    cJSON *root = status == BUS_OK ? bus_json(message) : NULL;
    if (status == BUS_OK && (root == NULL || cJSON_GetObjectItemCaseSensitive(root, "error") != NULL))
        status = BUS_ERROR;
    info.ack_floor = bus_json_uint(cJSON_GetObjectItemCaseSensitive(root, "ack_floor"), "stream_seq");
    info.delivered = bus_json_uint(cJSON_GetObjectItemCaseSensitive(root, "delivered"), "stream_seq");
    info.pending = bus_json_uint(root, "num_pending");
    info.outstanding = bus_json_uint(root, "num_ack_pending");
    cJSON_Delete(root);
    request->callback.info(request->context, status, status == BUS_OK ? &info : NULL);
}

struct bus_request *bus_consumer_info(struct bus *bus, const char *stream, const char *consumer, uint32_t timeout_ms,
                                      bus_consumer_info_cb *callback, void *context)
{
    char subject[160];
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.%s.%s", stream, consumer);
    struct bus_outgoing outgoing = {.subject = subject, .data = ""};
    struct bus_request *request = bus_request_send(bus, &outgoing, timeout_ms, on_info, context);
    request->callback.info = callback;
    return request;
}
