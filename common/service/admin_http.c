/* The admin port: a thread of libmicrohttpd's that only reads atomics and what the lock guards. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "log/log.h"
#include "service/service_priv.h"

#define CONNECTIONS_MAX 64
#define CONNECTION_TIMEOUT_S 10u
#define LOOP_STUCK_MS 10000

struct answer {
    unsigned status;
    const char *content_type;
    struct strbuf body;
};

static void answer_metrics(struct service *service, struct answer *answer)
{
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_expose(service->metrics, &answer->body);
    metrics_expose_process(service->app->name, &answer->body);
}

/* Alive is who turns the loop. */
static void answer_health(struct service *service, struct answer *answer)
{
    uint64_t seen_ms = atomic_load(&service->loop_seen_ms); /* before the clock: never later than now */
    bool is_stuck = clock_monotonic_ms() - seen_ms > LOOP_STUCK_MS;
    answer->status = is_stuck ? 503 : 200;
    strbuf_append_string(&answer->body, is_stuck ? "{\"status\":\"stuck\"}\n" : "{\"status\":\"ok\"}\n");
}

static void answer_readiness(struct service *service, struct answer *answer)
{
    struct json_writer json;
    json_writer_init(&json, &answer->body);
    json_begin_object(&json);
    pthread_mutex_lock(&service->lock);
    bool is_ready = service_is_ready(service);
    json_kv_string(&json, "status", is_ready ? "ready" : "not_ready");
    json_kv_bool(&json, "draining", atomic_load(&service->is_draining));
    json_key(&json, "waiting_for");
    json_begin_array(&json);
    for (size_t i = 0; i < service->condition_count; i++)
        if (!service->conditions[i].is_met)
            json_string(&json, service->conditions[i].name);
    json_end_array(&json);
    pthread_mutex_unlock(&service->lock);
    json_end_object(&json);
    strbuf_append_char(&answer->body, '\n');
    answer->status = is_ready ? 200 : 503;
}

static const struct route {
    const char *path;
    void (*write)(struct service *service, struct answer *answer);
} routes[] = {{"/metrics", answer_metrics}, {"/healthz", answer_health}, {"/readyz", answer_readiness}};

static void find_answer(struct service *service, const char *path, const char *method, struct answer *answer)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!str_equal(path, routes[i].path))
            continue;
        if (str_equal(method, "GET") || str_equal(method, "HEAD")) {
            routes[i].write(service, answer);
        } else {
            answer->status = 405;
            strbuf_append_string(&answer->body, "{\"error\":\"only GET\"}\n");
        }
        return;
    }
    answer->status = 404;
    strbuf_append_string(&answer->body, "{\"error\":\"not found\"}\n");
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *data_size,
                                  void **request)
{
    (void)version;
    (void)data;
    (void)data_size;
    (void)request;
    struct answer answer = {.status = 200, .content_type = "application/json"};
    strbuf_init(&answer.body, 8192);
    find_answer(context, path, method, &answer);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer.body.length, answer.body.data, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type);
    if (answer.status == 405)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, answer.status, response);
    MHD_destroy_response(response);
    strbuf_finish(&answer.body);
    return result;
}

static bool refuse(const struct service *service, struct strbuf *error, const char *why)
{
    strbuf_appendf(error, "admin_port %lld on %s: %s", (long long)service->settings.admin_port,
                   service->settings.admin_address, why);
    return false;
}

bool admin_http_start(struct service *service, struct strbuf *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)service->settings.admin_port)};
    if (inet_pton(AF_INET, service->settings.admin_address, &address.sin_addr) != 1)
        return refuse(service, error, "not an IPv4 address");
    errno = 0;
    service->admin = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, (uint16_t)service->settings.admin_port, NULL, NULL,
                                      on_request, service, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
                                      (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S,
                                      MHD_OPTION_END);
    if (service->admin == NULL)
        return refuse(service, error, errno != 0 ? strerror(errno) : "cannot listen");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(service->admin, MHD_DAEMON_INFO_BIND_PORT);
    service->admin_port = info->port;
    LOG_INFO("admin_listening", LOG_STR("address", service->settings.admin_address),
             LOG_INT("port", service->admin_port));
    return true;
}

void admin_http_stop(struct service *service)
{
    if (service->admin != NULL)
        MHD_stop_daemon(service->admin);
    service->admin = NULL;
}
