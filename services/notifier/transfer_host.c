#include "transfer_priv.h"

#define HOSTS_MAX 64 /* idle ones beyond it are closed; those with requests under way stay */
#define TIMEOUTS_IN_ROW_MAX 5

struct host {
    struct transfer_client *client;
    CURLM *multi; /* NULL once it is destroyed */
    char *key;
    struct list_node node; /* in the client's host_list */
    uv_timer_t timer;
    size_t under_way;
    unsigned timeouts_in_row;
    bool is_retired; /* not in the client's map any more: ends with its last transfer */
    bool speaks_http2;
    unsigned holds; /* libuv handles, and functions on the stack */
};

/* A socket of libcurl's that the loop watches. */
struct watch {
    uv_poll_t poll;
    struct host *host;
    curl_socket_t fd;
};

void host_key(struct strbuf *key, const struct transfer_request *request)
{
    const char *slashes = strstr(request->url, "://");
    const char *authority = slashes == NULL ? request->url : slashes + 3;
    size_t length = (size_t)(authority - request->url) + strcspn(authority, "/?#");
    strbuf_append_char(key, request->is_foreign ? 'f' : 'o');
    strbuf_append_char(key, request->is_http2_only ? '2' : '1');
    strbuf_append(key, request->url, length);
}

static void release(struct host *host)
{
    if (--host->holds > 0)
        return;
    ASSERT(host->multi == NULL);
    struct transfer_client *client = host->client;
    mem_free(host->key);
    mem_free(host);
    transfer_client_release(client);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    release(watch->host);
    mem_free(watch);
}

static void leave_map(struct host *host)
{
    if (!host->is_retired) {
        hashmap_remove(host->client->hosts, host->key);
        host->client->host_count--;
    }
    host->is_retired = true;
}

static void host_destroy(struct host *host)
{
    leave_map(host);
    list_remove(&host->node);
    CURLM *multi = host->multi;
    curl_multi_cleanup(multi); /* takes its sockets off the loop by on_socket */
    host->multi = NULL;
    uv_close((uv_handle_t *)&host->timer, on_timer_closed);
}

static void destroy_if_done(struct host *host)
{
    if (host->multi != NULL && host->is_retired && host->under_way == 0)
        host_destroy(host);
}

bool host_has_sent(const struct transfer *transfer)
{
    long request_bytes = 0; /* of the head: that is all there is when there is no body */
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return transfer->body.length > 0 ? transfer->body_given > 0 : request_bytes > 0;
}

static enum transfer_failure failure_of(const struct transfer *transfer, CURLcode code, int status)
{
    if (status >= 200)
        return TRANSFER_OK; /* also when its body was too long, or cut */
    if (host_has_sent(transfer))
        return code == CURLE_OPERATION_TIMEDOUT ? TRANSFER_TIMEOUT : TRANSFER_CUT;
    bool is_bad_url = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_LOGIN_DENIED;
    bool is_bad_address = transfer->has_refused_address && !transfer->has_opened_socket;
    return is_bad_url || is_bad_address ? TRANSFER_REFUSED : TRANSFER_CONNECT;
}

/* Whatever it was doing: how far did it come? */
static struct transfer_reply reply_of(struct transfer *transfer, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    struct transfer_reply reply = {.failure = failure_of(transfer, code, (int)status),
                                   .status = (int)status,
                                   .body = transfer->reply.data,
                                   .body_length = transfer->reply.length,
                                   .problem = transfer->problem};
    if (code != CURLE_OK && transfer->problem[0] == '\0')
        str_copy(transfer->problem, sizeof(transfer->problem), curl_easy_strerror(code));
    return reply;
}

static void note_answer(struct host *host, const struct transfer *transfer)
{
    long version = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    host->speaks_http2 = host->speaks_http2 || version == CURL_HTTP_VERSION_2_0;
    host->timeouts_in_row = 0;
}

void host_add(struct host *host, struct transfer *transfer)
{
    transfer->host = host;
    host->under_way++;
    ASSERT(curl_multi_add_handle(host->multi, transfer->easy) == CURLM_OK);
}

static void take_out(struct host *host, struct transfer *transfer)
{
    curl_multi_remove_handle(host->multi, transfer->easy);
    transfer->host = NULL;
    host->under_way--;
}

void host_cancel(struct host *host, struct transfer *transfer)
{
    take_out(host, transfer);
    destroy_if_done(host);
}

void host_end(struct host *host, struct transfer *transfer, CURLcode code)
{
    host->holds++;
    take_out(host, transfer);
    struct transfer_reply reply = reply_of(transfer, code);
    if (reply.failure == TRANSFER_OK)
        note_answer(host, transfer);
    else if (reply.failure == TRANSFER_TIMEOUT && ++host->timeouts_in_row >= TIMEOUTS_IN_ROW_MAX)
        leave_map(host);
    transfer_end(transfer, &reply);
    destroy_if_done(host);
    release(host);
}

/* Callbacks may cancel, start and destroy whatever they like, so everything is looked at anew after each. */
static void harvest(struct host *host)
{
    int left;
    for (CURLMsg *message; host->multi != NULL && (message = curl_multi_info_read(host->multi, &left)) != NULL;) {
        char *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        host_end(host, (struct transfer *)(void *)transfer, code);
    }
}

static void act(struct host *host, curl_socket_t fd, int events)
{
    int running;
    host->holds++;
    transfer_client_hold(host->client);
    struct transfer_client *client = host->client;
    if (host->multi != NULL)
        curl_multi_socket_action(host->multi, fd, events, &running);
    harvest(host);
    release(host);
    transfer_client_release(client);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                (status < 0 ? CURL_CSELECT_ERR : 0);
    act(watch->host, watch->fd, flags);
}

static struct watch *watch_create(struct host *host, curl_socket_t fd)
{
    struct watch *watch = mem_alloc(sizeof(*watch));
    watch->host = host;
    watch->fd = fd;
    watch->poll.data = watch;
    ASSERT(uv_poll_init(host->client->loop, &watch->poll, fd) == 0);
    host->holds++;
    curl_multi_assign(host->multi, fd, watch);
    return watch;
}

/* libcurl may close the descriptor as soon as this returns, so watching ends here and now. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    (void)easy;
    struct host *host = context;
    struct watch *watch = socket_context;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (watch == NULL)
        watch = watch_create(host, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&watch->poll, events, on_ready);
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct host *host = context;
    if (timeout_ms < 0)
        uv_timer_stop(&host->timer);
    else
        uv_timer_start(&host->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static CURLM *multi_create(struct host *host)
{
    CURLM *multi = curl_multi_init();
    ASSERT(multi != NULL);
    long connections = (long)host->client->connections_per_host;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, host);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, host);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
    curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)host->client->streams_per_connection);
    return multi;
}

static struct host *host_create(struct transfer_client *client, const char *key)
{
    struct host *host = mem_alloc(sizeof(*host));
    host->client = client;
    host->key = mem_strdup(key);
    host->holds = 1; /* the timer */
    transfer_client_hold(client);
    ASSERT(uv_timer_init(client->loop, &host->timer) == 0);
    host->timer.data = host;
    host->multi = multi_create(host);
    list_append(&client->host_list, &host->node);
    hashmap_set(client->hosts, key, host);
    client->host_count++;
    return host;
}

static void close_idle_hosts(struct transfer_client *client)
{
    LIST_EACH_SAFE(&client->host_list, node, following)
    {
        struct host *host = CONTAINER_OF(node, struct host, node);
        if (client->host_count < HOSTS_MAX)
            break;
        if (host->under_way == 0)
            host_destroy(host);
    }
}

struct host *host_find(struct transfer_client *client, const char *key)
{
    struct host *host = hashmap_get(client->hosts, key);
    if (host == NULL) {
        close_idle_hosts(client);
        return host_create(client, key);
    }
    list_remove(&host->node);
    list_append(&client->host_list, &host->node);
    return host;
}

bool host_speaks_http2(const struct host *host)
{
    return host != NULL && host->speaks_http2;
}

void hosts_destroy(struct transfer_client *client)
{
    while (!list_is_empty(&client->host_list))
        host_destroy(CONTAINER_OF(client->host_list.next, struct host, node));
}
