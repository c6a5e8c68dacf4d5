#include "http/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"
#include "routes.h"

#define CONNECTION_TIMEOUT_S 15u
/* A refused body is read to this point before the answer, so that the answer is not lost to a reset. */
#define DISCARD_MAX_BYTES (8u * 1024u * 1024u)

struct http_server {
    struct http_config config;
    struct MHD_Daemon *daemon;
    uint16_t port;
    int listen_fd; /* once quiesced; else -1 */
    atomic_bool is_quiesced;
    atomic_uint active;
    uv_async_t wake;
    uv_mutex_t lock; /* over incoming and is_stopping */
    struct list_node incoming;
    bool is_stopping;
    struct list_node pending; /* loop thread */
};

const char *http_header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

struct query_walk {
    http_query_cb *callback;
    void *context;
};

static enum MHD_Result on_query_parameter(void *context, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                          const char *value, size_t value_length)
{
    (void)kind;
    const struct query_walk *walk = context;
    return walk->callback(walk->context, name, name_length, value, value_length) ? MHD_YES : MHD_NO;
}

void http_query_each(const struct exchange *exchange, http_query_cb *callback, void *context)
{
    struct query_walk walk = {callback, context};
    MHD_get_connection_values_n(exchange->connection, MHD_GET_ARGUMENT_KIND, on_query_parameter, &walk);
}

void http_refuse(struct exchange *exchange, enum error_code code, const char *detail)
{
    exchange->is_refused = true;
    exchange_set_failure(exchange, code, detail);
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static void add_headers(const struct exchange *exchange, struct MHD_Response *response)
{
    MHD_add_response_header(response, "X-Request-Id", exchange->request_id);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (exchange->answer.length > 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, exchange->content_type);
    if (exchange->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (*exchange->allow != '\0')
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, exchange->allow);
    if (exchange->retry_after_ms > 0) {
        char seconds[24];
        snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)((exchange->retry_after_ms + 999) / 1000));
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (atomic_load(&exchange->server->is_quiesced))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

static enum MHD_Result respond(struct exchange *exchange)
{
    const struct http_config *config = &exchange->server->config;
    config->note_answer(config->context, exchange, (double)(clock_monotonic_us() - exchange->started_us) / 1000000.0);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(exchange->answer.length, exchange->answer.data, MHD_RESPMEM_MUST_COPY);
    add_headers(exchange, response);
    enum MHD_Result result = MHD_queue_response(exchange->connection, exchange->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Loop thread. The exchange is the HTTP thread's again afterwards. */
void exchange_send(struct exchange *exchange)
{
    list_remove(&exchange->node);
    struct MHD_Connection *connection = exchange->connection;
    atomic_store_explicit(&exchange->is_answered, true, memory_order_release);
    MHD_resume_connection(connection);
}

/* --- from the HTTP thread to the loop ----------------------------------------------------------------------------- */

static enum MHD_Result hand_over(struct exchange *exchange)
{
    struct http_server *server = exchange->server;
    uv_mutex_lock(&server->lock);
    bool is_stopping = server->is_stopping;
    if (!is_stopping) {
        MHD_suspend_connection(exchange->connection);
        list_append(&server->incoming, &exchange->node);
    }
    uv_mutex_unlock(&server->lock);
    if (is_stopping) {
        http_refuse(exchange, ERROR_unavailable, "going away");
        return respond(exchange);
    }
    uv_async_send(&server->wake);
    return MHD_YES;
}

static struct exchange *take_incoming(struct http_server *server)
{
    struct exchange *exchange = NULL;
    uv_mutex_lock(&server->lock);
    if (!list_is_empty(&server->incoming)) {
        exchange = CONTAINER_OF(server->incoming.next, struct exchange, node);
        list_remove(&exchange->node);
    }
    uv_mutex_unlock(&server->lock);
    return exchange;
}

static void on_wake(uv_async_t *wake)
{
    struct http_server *server = wake->data;
    for (struct exchange *exchange; (exchange = take_incoming(server)) != NULL;) {
        list_append(&server->pending, &exchange->node);
        server->config.handle(server->config.context, exchange);
    }
}

/* --- the HTTP thread ---------------------------------------------------------------------------------------------- */

static void name_request(struct exchange *exchange)
{
    const char *given = http_header(exchange, "X-Request-Id");
    if (given != NULL && is_id(given))
        ASSERT(str_copy(exchange->request_id, sizeof(exchange->request_id), given));
    else
        uuid_generate(exchange->request_id);
}

static size_t announced_length(const struct exchange *exchange)
{
    const char *text = http_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text == NULL ? 0 : (size_t)strtoull(text, NULL, 10);
}

static size_t body_limit(const struct exchange *exchange)
{
    return exchange->route == NULL ? 0 : exchange->route->body_limit_bytes;
}

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection, const char *method,
                             const char *path, void **request)
{
    struct exchange *exchange = exchange_create(server, connection);
    *request = exchange;
    exchange->started_us = clock_monotonic_us();
    atomic_fetch_add(&server->active, 1);
    name_request(exchange);
    if (atomic_load(&server->is_quiesced))
        http_refuse(exchange, ERROR_unavailable, "draining");
    else
        server->config.admit(server->config.context, exchange, method, path);
    size_t announced = announced_length(exchange);
    if (!exchange->is_refused && body_limit(exchange) > 0 && announced > body_limit(exchange))
        http_refuse(exchange, ERROR_payload_too_large, "body: is too large");
    bool is_waiting = http_header(exchange, MHD_HTTP_HEADER_EXPECT) != NULL;
    if (exchange->is_refused && (is_waiting || announced > DISCARD_MAX_BYTES))
        return respond(exchange);
    return MHD_YES;
}

static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t *data_size)
{
    size_t size = *data_size;
    *data_size = 0;
    exchange->received_bytes += size;
    if (exchange->received_bytes > DISCARD_MAX_BYTES)
        return MHD_NO;
    size_t limit = body_limit(exchange);
    if (exchange->is_refused || limit == 0)
        return MHD_YES;
    if (exchange->received_bytes > limit)
        http_refuse(exchange, ERROR_payload_too_large, "body: is too large");
    else
        strbuf_append(&exchange->body, data, size);
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *data_size,
                                  void **request)
{
    (void)version;
    struct exchange *exchange = *request;
    if (exchange == NULL)
        return begin(context, connection, method, path, request);
    if (*data_size > 0)
        return take_body(exchange, data, data_size);
    if (exchange->is_refused || atomic_load_explicit(&exchange->is_answered, memory_order_acquire))
        return respond(exchange);
    return hand_over(exchange);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http_server *server = context;
    struct exchange *exchange = *request;
    *request = NULL;
    if (exchange == NULL)
        return;
    exchange_destroy(&exchange);
    atomic_fetch_sub(&server->active, 1);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static bool start_daemon(struct http_server *server, struct strbuf *error)
{
    const struct http_config *config = &server->config;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(config->port)};
    if (inet_pton(AF_INET, config->address, &address.sin_addr) != 1) {
        strbuf_appendf(error, "internal_address %s: not an IPv4 address", config->address);
        return false;
    }
    errno = 0;
    server->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, config->port, NULL, NULL, on_request,
                         server, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, config->max_connections,
                         MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                         server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        strbuf_appendf(error, "internal_port %u on %s: %s", config->port, config->address,
                       errno != 0 ? strerror(errno) : "cannot listen");
        return false;
    }
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return true;
}

static void on_wake_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    uv_mutex_destroy(&server->lock);
    mem_free(server);
}

struct http_server *http_server_create(uv_loop_t *loop, const struct http_config *config, struct strbuf *error)
{
    struct http_server *server = mem_alloc(sizeof(*server));
    server->config = *config;
    server->listen_fd = -1;
    list_init(&server->incoming);
    list_init(&server->pending);
    uv_mutex_init(&server->lock);
    uv_async_init(loop, &server->wake, on_wake);
    server->wake.data = server;
    if (!start_daemon(server, error)) {
        uv_close((uv_handle_t *)&server->wake, on_wake_closed);
        return NULL;
    }
    LOG_INFO("listening", LOG_STR("address", config->address), LOG_INT("port", server->port));
    return server;
}

static void answer_all(struct http_server *server)
{
    uv_mutex_lock(&server->lock);
    server->is_stopping = true;
    uv_mutex_unlock(&server->lock);
    for (struct exchange *exchange; (exchange = take_incoming(server)) != NULL;)
        list_append(&server->pending, &exchange->node);
    while (!list_is_empty(&server->pending)) {
        struct exchange *exchange = CONTAINER_OF(server->pending.next, struct exchange, node);
        exchange_set_failure(exchange, ERROR_unavailable, "going away");
        exchange_send(exchange);
    }
}

void http_server_destroy(struct http_server **server_pointer)
{
    struct http_server *server = *server_pointer;
    *server_pointer = NULL;
    if (server == NULL)
        return;
    answer_all(server);
    MHD_stop_daemon(server->daemon);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    uv_close((uv_handle_t *)&server->wake, on_wake_closed);
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_quiesce(struct http_server *server)
{
    if (atomic_exchange(&server->is_quiesced, true))
        return;
    server->listen_fd = MHD_quiesce_daemon(server->daemon);
}

bool http_server_is_quiesced(const struct http_server *server)
{
    return atomic_load(&server->is_quiesced);
}

unsigned http_server_active(const struct http_server *server)
{
    return atomic_load(&server->active);
}
