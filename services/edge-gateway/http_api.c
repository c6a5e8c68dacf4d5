#include "http_api_priv.h"

#include <cjson/cJSON.h>

#include "acl.h"
#include "base/clock.h"
#include "proto/subjects.h"
#include "user_watch.h"

#define PROBLEM_TYPE "application/problem+json"
#define STALE_AFTER_MS 15000
#define REFRESH_TOKEN_MAX 1024

/* --- answers ------------------------------------------------------------------------------------------------------ */

void http_answer_finish(struct http_answer *answer)
{
    strbuf_finish(&answer->body);
    expiring_finish(&answer->expiring);
    *answer = (struct http_answer){0};
}

static void exchange_free(struct http_exchange *exchange)
{
    booking_wait_cancel(&exchange->waiter);
    booking_release(&exchange->entry);
    bus_request_cancel(&exchange->request);
    bus_walk_cancel(&exchange->events.walk);
    principal_unref(&exchange->principal);
    http_answer_finish(&exchange->ready);
    mem_free(exchange->reason);
    mem_free(exchange->held_texts);
    mem_free(exchange);
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void drop_timer(struct http_exchange *exchange)
{
    if (exchange->soon != NULL)
        uv_close((uv_handle_t *)exchange->soon, on_timer_closed);
    exchange->soon = NULL;
}

static void on_soon(uv_timer_t *timer)
{
    struct http_exchange *exchange = timer->data;
    drop_timer(exchange);
    struct http_answer answer = exchange->ready;
    exchange->ready = (struct http_answer){0};
    exchange->answer(exchange->context, &answer);
    exchange_free(exchange);
}

void http_answer_soon(struct http_exchange *exchange, int status, const char *content_type)
{
    exchange->ready.status = status;
    exchange->ready.content_type = content_type;
    exchange->soon = mem_alloc(sizeof(*exchange->soon));
    uv_timer_init(exchange->gateway->loop, exchange->soon);
    exchange->soon->data = exchange;
    uv_timer_start(exchange->soon, on_soon, 0, 0);
}

void http_fail(struct http_exchange *exchange, enum error_code code, const char *detail)
{
    uint64_t retry_after_ms = code == ERROR_unavailable ? GATEWAY_RETRY_AFTER_MS : 0;
    strbuf_clear(&exchange->ready.body);
    expiring_finish(&exchange->ready.expiring);
    problem_write(&exchange->ready.body, code, detail, NULL, retry_after_ms);
    exchange->ready.retry_after_s = retry_after_ms / 1000;
    http_answer_soon(exchange, error_code_http_status(code), PROBLEM_TYPE);
}

void http_fail_bus(struct http_exchange *exchange)
{
    http_fail(exchange, ERROR_unavailable, "the message bus did not answer");
}

void http_ask(struct http_exchange *exchange, const char *subject, const ProtobufCMessage *message,
              bus_reply_cb *callback)
{
    struct strbuf bytes;
    strbuf_init(&bytes, 192);
    message_pack(&bytes, message);
    exchange->request = bus_request(exchange->gateway->bus, subject, bytes.data, bytes.length,
                                    GATEWAY_REQUEST_TIMEOUT_MS, callback, exchange);
    strbuf_finish(&bytes);
}

void http_exchange_cancel(struct http_exchange **exchange_pointer)
{
    struct http_exchange *exchange = *exchange_pointer;
    *exchange_pointer = NULL;
    if (exchange == NULL)
        return;
    drop_timer(exchange);
    exchange_free(exchange);
}

/* --- GET /v1/bookings/{id}/tracking ------------------------------------------------------------------------------- */

static void write_position(struct http_exchange *exchange, const Hansom__TrackingItem *item, const Hansom__Fix *fix)
{
    int64_t age_ms = clock_wall_ms() - fix->timestamp_ms;
    struct json_writer json;
    json_writer_init(&json, &exchange->ready.body);
    json_begin_object(&json);
    json_key(&json, "location");
    location_write(&json, item->booking_id, item->driver_id, fix);
    json_kv_int(&json, "age_ms", age_ms < 0 ? 0 : age_ms);
    json_kv_bool(&json, "stale", item->item_case == HANSOM__TRACKING_ITEM__ITEM_STALE || age_ms > STALE_AFTER_MS);
    json_end_object(&json);
}

static void on_position(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct http_exchange *exchange = context;
    exchange->request = NULL;
    if (status != BUS_OK && status != BUS_NOT_FOUND) {
        http_fail_bus(exchange);
        return;
    }
    Hansom__TrackingItem *item =
        status == BUS_OK ? hansom__tracking_item__unpack(NULL, reply->length, reply->data) : NULL;
    const Hansom__Fix *fix = item == NULL                                              ? NULL
                             : item->item_case == HANSOM__TRACKING_ITEM__ITEM_LOCATION ? item->location
                                                                                       : item->last_location;
    if (fix == NULL) {
        http_fail(exchange, ERROR_not_found, "no position is known yet");
    } else {
        write_position(exchange, item, fix);
        http_answer_soon(exchange, 200, JSON_TYPE);
    }
    hansom__tracking_item__free_unpacked(item, NULL);
}

static void on_booking(void *context, enum bus_status status, const Hansom__Booking *booking)
{
    struct http_exchange *exchange = context;
    struct channel_name channel;
    char text[CHANNEL_NAME_SIZE];
    int length = snprintf(text, sizeof(text), SUBJECT_TRACKING, exchange->id);
    ASSERT(channel_parse(text, (size_t)length, &channel));
    if (status != BUS_OK && status != BUS_NOT_FOUND)
        http_fail_bus(exchange);
    else if (booking == NULL)
        http_fail(exchange, ERROR_not_found, "there is no such booking");
    else if (!principal_may(exchange->principal, "subscribe", channel.text) || acl_is_staff(exchange->principal) ||
             acl_may_subscribe(exchange->principal, &channel, booking) != ACL_ALLOWED)
        http_fail(exchange, ERROR_forbidden, "not allowed; staff subscribe over the WebSocket with a reason");
    else
        exchange->request = bus_get_last(exchange->gateway->bus, "POSITION", channel.text, GATEWAY_REQUEST_TIMEOUT_MS,
                                         on_position, exchange);
}

static void get_tracking(struct http_exchange *exchange, const struct http_request *request)
{
    (void)request;
    exchange->entry = booking_acquire(exchange->gateway->bookings, exchange->id);
    booking_when_known(exchange->entry, &exchange->waiter, on_booking, exchange);
}

/* --- POST /v1/token/refresh --------------------------------------------------------------------------------------- */

static void on_refreshed(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct http_exchange *exchange = context;
    exchange->request = NULL;
    Hansom__TokenRefreshReply *tokens =
        status == BUS_OK ? hansom__token_refresh_reply__unpack(NULL, reply->length, reply->data) : NULL;
    if (tokens == NULL) {
        http_fail(exchange, ERROR_unavailable, "tokens cannot be made at the moment");
    } else if (*tokens->error_code != '\0') {
        enum error_code code = error_code_from_name(tokens->error_code);
        http_fail(exchange, code == ERROR_NONE ? ERROR_internal : code, "the refresh token is not valid");
    } else {
        struct json_writer json;
        json_writer_init(&json, &exchange->ready.body);
        json_begin_object(&json);
        json_kv_string(&json, "access_token", tokens->access_token);
        json_kv_uint(&json, "expires_in", tokens->expires_in_s);
        json_kv_string(&json, "refresh_token", tokens->refresh_token);
        json_kv_uint(&json, "refresh_expires_in", tokens->refresh_expires_in_s);
        json_end_object(&json);
        http_answer_soon(exchange, 200, JSON_TYPE);
    }
    hansom__token_refresh_reply__free_unpacked(tokens, NULL);
}

static void post_refresh(struct http_exchange *exchange, const struct http_request *request)
{
    cJSON *root = json_object_parse(request->body, request->body_length);
    const char *token = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "refresh_token"));
    if (token == NULL || *token == '\0' || strlen(token) > REFRESH_TOKEN_MAX) {
        http_fail(exchange, ERROR_bad_request, root == NULL ? "body: must be a JSON object" : "refresh_token: missing");
    } else {
        Hansom__TokenRefreshRequest message = HANSOM__TOKEN_REFRESH_REQUEST__INIT;
        message.refresh_token = (char *)token;
        struct strbuf bytes;
        strbuf_init(&bytes, 256);
        MESSAGE_PACK(&bytes, &message);
        exchange->request = bus_request(exchange->gateway->bus, SUBJECT_RPC_TOKEN_REFRESH, bytes.data, bytes.length,
                                        GATEWAY_REQUEST_TIMEOUT_MS, on_refreshed, exchange);
        strbuf_finish(&bytes);
    }
    cJSON_Delete(root);
}

/* --- GET /healthz, /readyz ---------------------------------------------------------------------------------------- */

static void get_health(struct http_exchange *exchange, const struct http_request *request)
{
    (void)request;
    strbuf_append_string(&exchange->ready.body, "{\"status\":\"ok\"}");
    http_answer_soon(exchange, 200, JSON_TYPE);
}

static void get_readiness(struct http_exchange *exchange, const struct http_request *request)
{
    (void)request;
    bool is_ready = service_is_ready(exchange->gateway->service);
    strbuf_appendf(&exchange->ready.body, "{\"status\":\"%s\",\"draining\":%s}", is_ready ? "ready" : "not_ready",
                   service_is_draining(exchange->gateway->service) ? "true" : "false");
    http_answer_soon(exchange, is_ready ? 200 : 503, JSON_TYPE);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static const struct http_route {
    /* suffix NULL: the prefix is the whole path; else an id stands between, or, before "", at the end */
    const char *method, *prefix, *suffix;
    bool needs_token;
    void (*handle)(struct http_exchange *exchange, const struct http_request *request);
} routes[] = {
    {"GET", "/healthz", NULL, false, get_health},
    {"GET", "/readyz", NULL, false, get_readiness},
    {"GET", "/v1/bookings/", "/tracking", true, get_tracking},
    {"GET", "/v1/bookings/", "/chat", true, http_get_chat},
    {"GET", "/v1/me/chats", NULL, true, http_get_my_chats},
    {"GET", "/v1/me/events", NULL, true, http_get_my_events},
    {"POST", "/v1/me/events/ack", NULL, true, http_post_my_events_ack},
    {"PUT", "/v1/me/devices/", "", true, http_put_device},
    {"DELETE", "/v1/me/devices/", "", true, http_delete_device},
    {"POST", "/v1/callbacks/sms", NULL, false, http_post_sms_status},
    {"POST", "/v1/token/refresh", NULL, false, post_refresh},
};

/* Writes the id. One that is not well-formed is written as "": the path is that of the route all the same. */
static bool path_matches(const struct http_route *route, const char *path, char id[ID_SIZE])
{
    if (route->suffix == NULL)
        return str_equal(path, route->prefix);
    size_t prefix = strlen(route->prefix), suffix = strlen(route->suffix), length = strlen(path);
    if (length <= prefix + suffix || strncmp(path, route->prefix, prefix) != 0 ||
        !str_equal(path + length - suffix, route->suffix) ||
        memchr(path + prefix, '/', length - prefix - suffix) != NULL)
        return false;
    size_t id_length = id_is_valid(path + prefix, length - prefix - suffix) ? length - prefix - suffix : 0;
    memcpy(id, path + prefix, id_length);
    id[id_length] = '\0';
    return true;
}

static void note_method(struct http_answer *answer, const char *method)
{
    size_t length = strlen(answer->allow);
    snprintf(answer->allow + length, sizeof(answer->allow) - length, "%s%s", length > 0 ? ", " : "", method);
}

/* A path may be offered with several methods: those before the one that is asked for are noted. */
static const struct http_route *find_route(const struct http_request *request, struct http_exchange *exchange)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_matches(&routes[i], request->path, exchange->id))
            continue;
        if (str_equal(routes[i].method, request->method))
            return &routes[i];
        note_method(&exchange->ready, routes[i].method);
    }
    return NULL;
}

const char *http_query(const struct http_request *request, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < HTTP_QUERY_MAX && request->query[i] != NULL; i++)
        if (strncmp(request->query[i], name, length) == 0 && request->query[i][length] == '=')
            return request->query[i] + length + 1;
    return NULL;
}

static bool authenticate(struct http_exchange *exchange, const struct http_request *request)
{
    const char *why;
    if (request->bearer != NULL)
        exchange->principal = token_cache_verify(exchange->gateway->tokens, exchange->gateway->keys, request->bearer,
                                                 strlen(request->bearer), clock_wall_ms(), &why);
    return exchange->principal != NULL;
}

/* NULL stays NULL. */
static const char *copy_text(char **at, const char *text)
{
    char *copy = *at;
    if (text == NULL)
        return NULL;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

/* What the handler will look at; the caller's request ends with the call. */
static void hold_request(struct http_exchange *exchange, const struct http_request *request)
{
    size_t size = text_size(request->content_type) + request->body_length + 1;
    for (size_t i = 0; i < HTTP_QUERY_MAX; i++)
        size += text_size(request->query[i]);
    char *at = exchange->held_texts = mem_alloc(size);
    exchange->held = (struct http_request){.body_length = request->body_length};
    exchange->held.content_type = copy_text(&at, request->content_type);
    for (size_t i = 0; i < HTTP_QUERY_MAX; i++)
        exchange->held.query[i] = copy_text(&at, request->query[i]);
    memcpy(at, request->body, request->body_length); /* the zero behind it is there already */
    exchange->held.body = at;
}

/* A token that was revoked is worth nothing here either, whatever time it has left. */
static void on_cutoff(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct http_exchange *exchange = context;
    exchange->request = NULL;
    if (status != BUS_OK && status != BUS_NOT_FOUND)
        http_fail_bus(exchange);
    else if (status == BUS_OK && user_watch_is_revoked(exchange->principal, reply))
        http_fail(exchange, ERROR_unauthorized, "a valid token is needed");
    else
        exchange->route->handle(exchange, &exchange->held);
}

static void run_route(struct http_exchange *exchange, const struct http_route *route,
                      const struct http_request *request)
{
    if (route->suffix != NULL && *exchange->id == '\0') {
        http_fail(exchange, ERROR_bad_request, "id: must be 1 to 64 of A-Z a-z 0-9 _ -");
    } else if (request->body_length > HTTP_BODY_MAX) {
        http_fail(exchange, ERROR_payload_too_large, "body: must be at most 8192 bytes");
    } else if (!route->needs_token) {
        route->handle(exchange, request);
    } else if (!authenticate(exchange, request)) {
        http_fail(exchange, ERROR_unauthorized, "a valid token is needed");
    } else {
        exchange->route = route;
        hold_request(exchange, request);
        exchange->request = bus_kv_get(exchange->gateway->bus, BUCKET_SESSIONS, exchange->principal->user_id,
                                       GATEWAY_REQUEST_TIMEOUT_MS, on_cutoff, exchange);
    }
}

static void fail_method(struct http_exchange *exchange)
{
    problem_write_method(&exchange->ready.body, NULL);
    http_answer_soon(exchange, 405, PROBLEM_TYPE);
}

struct http_exchange *http_api_handle(struct gateway *gateway, const struct http_request *request,
                                      http_answer_cb *answer, void *context)
{
    struct http_exchange *exchange = mem_alloc(sizeof(*exchange));
    exchange->gateway = gateway;
    exchange->answer = answer;
    exchange->context = context;
    strbuf_init(&exchange->ready.body, 256);
    const struct http_route *route = find_route(request, exchange);
    if (route != NULL)
        run_route(exchange, route, request);
    else if (*exchange->ready.allow != '\0')
        fail_method(exchange);
    else
        http_fail(exchange, ERROR_not_found, "there is no such route");
    return exchange;
}
