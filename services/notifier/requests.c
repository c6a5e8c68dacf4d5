#include "requests.h"

#include "log/log.h"
#include "proto/subjects.h"
#include "request.h"

#define QUEUE_GROUP "notifier"

struct listener {
    struct requests *requests;
    enum request_kind kind;
    struct bus_subscription *subscription;
};

struct requests {
    struct notifier *app;
    struct listener listeners[REQUEST_KIND_COUNT];
    struct list_node open;
};

static const struct {
    const char *subject;
    const ProtobufCMessageDescriptor *request, *reply;
    request_begin *begin;
} rows[REQUEST_KIND_COUNT] = {
#define REQUEST(name, subject, request, reply)                                                                         \
    {subject, &hansom__##request##__descriptor, &hansom__##reply##__descriptor, request_##name},
#include "requests.def"
};

static void request_free(struct request *request)
{
    list_remove(&request->node);
    protobuf_c_message_free_unpacked(request->reply, NULL);
    mem_free(request);
}

static void finish(struct request *request, enum request_outcome outcome)
{
    struct strbuf bytes;
    strbuf_init(&bytes, 512);
    message_pack(&bytes, request->reply);
    metrics_add(request->app->metrics, METRIC_NOTIFY_REQUESTS, request->kind, outcome, 1);
    if (!bus_publish(request->app->bus, request->reply_subject, bytes.data, bytes.length))
        LOG_DEBUG("answer_not_sent");
    strbuf_finish(&bytes);
    request_free(request);
}

void request_answer(struct request *request)
{
    finish(request, REQUEST_OK);
}

/* Text of a field of the reply, by its place in the message. */
static void set_text(ProtobufCMessage *reply, unsigned field, const char *text)
{
    char **place = (char **)(void *)((char *)reply + reply->descriptor->fields[field].offset);
    *place = strdup(text);
    ASSERT(*place != NULL);
}

void request_fail(struct request *request, enum error_code code)
{
    const ProtobufCMessageDescriptor *descriptor = request->reply->descriptor;
    protobuf_c_message_free_unpacked(request->reply, NULL);
    request->reply = protobuf_c_message_unpack(descriptor, NULL, 0, (const uint8_t *)"");
    ASSERT(request->reply != NULL);
    set_text(request->reply, 0, error_code_name(code)); /* error_code is the first field of every reply */
    finish(request, code == ERROR_unavailable ? REQUEST_UNAVAILABLE : REQUEST_REFUSED);
}

void request_refuse(struct request *request, enum error_code code, const char *detail)
{
    ASSERT(request->reply->descriptor == &hansom__notify_reply__descriptor);
    set_text(request->reply, 0, error_code_name(code));
    set_text(request->reply, 1, detail);
    finish(request, REQUEST_REFUSED);
}

bool request_query_done(struct request *request, enum pg_status status, const struct pg_result *result)
{
    if (status == PG_OK)
        return true;
    LOG_WARN("request_not_served", LOG_STR("request", request_names[request->kind]),
             LOG_STR("sqlstate", pg_sqlstate(result)));
    request_fail(request, ERROR_unavailable);
    return false;
}

void request_query(struct request *request, const char *sql, size_t count, const char *const *parameters,
                   pg_result_cb *callback)
{
    pg_query(request->app->request_pg, sql, count, parameters, REQUEST_TIMEOUT_MS, callback, request);
}

static void take(void *context, const struct bus_message *message)
{
    struct listener *listener = context;
    struct notifier *app = listener->requests->app;
    struct request *request = mem_alloc(sizeof(*request));
    request->app = app;
    request->kind = listener->kind;
    request->reply = protobuf_c_message_unpack(rows[listener->kind].reply, NULL, 0, (const uint8_t *)"");
    ASSERT(request->reply != NULL);
    list_append(&listener->requests->open, &request->node);
    if (message->reply == NULL || !str_copy(request->reply_subject, sizeof(request->reply_subject), message->reply)) {
        request_free(request);
        return;
    }
    ProtobufCMessage *unpacked =
        protobuf_c_message_unpack(rows[listener->kind].request, NULL, message->length, message->data);
    if (unpacked == NULL)
        request_fail(request, ERROR_bad_request);
    else if (!pg_is_connected(app->request_pg))
        request_fail(request, ERROR_unavailable);
    else
        rows[listener->kind].begin(request, unpacked);
    protobuf_c_message_free_unpacked(unpacked, NULL);
}

struct requests *requests_create(struct notifier *app)
{
    struct requests *requests = mem_alloc(sizeof(*requests));
    requests->app = app;
    list_init(&requests->open);
    for (int kind = 0; kind < REQUEST_KIND_COUNT; kind++) {
        struct listener *listener = &requests->listeners[kind];
        listener->requests = requests;
        listener->kind = (enum request_kind)kind;
        listener->subscription = bus_subscribe(app->bus, rows[kind].subject, QUEUE_GROUP, take, listener);
    }
    return requests;
}

void requests_stop(struct requests *requests)
{
    for (int kind = 0; kind < REQUEST_KIND_COUNT; kind++)
        bus_unsubscribe(&requests->listeners[kind].subscription);
}

bool requests_are_idle(const struct requests *requests)
{
    return list_is_empty(&requests->open);
}

void requests_destroy(struct requests **requests_pointer)
{
    struct requests *requests = *requests_pointer;
    *requests_pointer = NULL;
    if (requests == NULL)
        return;
    requests_stop(requests);
    while (!list_is_empty(&requests->open))
        request_free(CONTAINER_OF(requests->open.next, struct request, node));
    mem_free(requests);
}
