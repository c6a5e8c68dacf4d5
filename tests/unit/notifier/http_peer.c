#include "http_peer.h"

#include <netinet/in.h>

#include "base/list.h"

struct http_peer {
    uv_loop_t *loop;
    uv_tcp_t listener;
    const struct peer_step *steps;
    size_t count;
    unsigned connections, holds;
    struct list_node open;
    struct strbuf received;
};

struct connection {
    struct list_node node;
    struct http_peer *peer;
    uv_tcp_t tcp;
    uv_idle_t start;
    unsigned handles;
    size_t step;
    struct strbuf waiting; /* came in, not answered */
};

static void release(struct http_peer *peer)
{
    if (--peer->holds > 0)
        return;
    strbuf_finish(&peer->received);
    mem_free(peer);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles > 0)
        return;
    struct http_peer *peer = connection->peer;
    strbuf_finish(&connection->waiting);
    mem_free(connection);
    release(peer);
}

static void connection_close(struct connection *connection, bool resets)
{
    list_remove(&connection->node);
    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    uv_close((uv_handle_t *)&connection->start, on_closed);
    if (!resets || uv_tcp_close_reset(&connection->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    mem_free(request);
}

static void say(struct connection *connection, const char *text)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    uv_write(mem_alloc(sizeof(uv_write_t)), (uv_stream_t *)&connection->tcp, &buffer, 1, on_written);
}

static void go_on(struct connection *connection)
{
    const struct http_peer *peer = connection->peer;
    for (;;) {
        const struct peer_step *step = &peer->steps[connection->step];
        const char *found = strstr(connection->waiting.data, step->wanted);
        if (found == NULL)
            return;
        if (connection->step + 1 < peer->count)
            connection->step++;
        strbuf_clear(&connection->waiting);
        if (step->answer != NULL)
            say(connection, step->answer);
        if (step->closes || step->resets) {
            connection_close(connection, step->resets);
            return;
        }
        if (step->wanted[0] == '\0' && connection->step + 1 == peer->count)
            return;
    }
}

static void on_start(uv_idle_t *start)
{
    uv_idle_stop(start);
    struct connection *connection = start->data;
    if (connection->peer->steps[0].wanted[0] == '\0')
        go_on(connection);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle, (void)suggested;
    static char room[65536];
    *buffer = uv_buf_init(room, sizeof(room));
}

static void on_bytes(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;
    if (length < 0) {
        connection_close(connection, false);
        return;
    }
    strbuf_append(&connection->waiting, buffer->base, (size_t)length);
    strbuf_append(&connection->peer->received, buffer->base, (size_t)length);
    if (length > 0)
        go_on(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_peer *peer = listener->data;
    struct connection *connection = mem_alloc(sizeof(*connection));
    ASSERT(status == 0);
    connection->peer = peer;
    connection->handles = 2;
    connection->tcp.data = connection->start.data = connection;
    strbuf_init(&connection->waiting, 0);
    ASSERT(uv_tcp_init(peer->loop, &connection->tcp) == 0 && uv_idle_init(peer->loop, &connection->start) == 0);
    ASSERT(uv_accept(listener, (uv_stream_t *)&connection->tcp) == 0);
    list_append(&peer->open, &connection->node);
    peer->connections++;
    peer->holds++;
    uv_idle_start(&connection->start, on_start);
    uv_read_start((uv_stream_t *)&connection->tcp, on_room, on_bytes);
}

struct http_peer *http_peer_create(uv_loop_t *loop, const struct peer_step *steps, size_t count)
{
    struct http_peer *peer = mem_alloc(sizeof(*peer));
    struct sockaddr_in address;
    peer->loop = loop;
    peer->steps = steps;
    peer->count = count;
    peer->holds = 1;
    list_init(&peer->open);
    strbuf_init(&peer->received, 0);
    ASSERT(uv_ip4_addr("127.0.0.1", 0, &address) == 0 && uv_tcp_init(loop, &peer->listener) == 0);
    peer->listener.data = peer;
    ASSERT(uv_tcp_bind(&peer->listener, (struct sockaddr *)&address, 0) == 0);
    ASSERT(uv_listen((uv_stream_t *)&peer->listener, 128, on_connection) == 0);
    return peer;
}

static void on_listener_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void http_peer_destroy(struct http_peer **peer_pointer)
{
    struct http_peer *peer = *peer_pointer;
    *peer_pointer = NULL;
    while (!list_is_empty(&peer->open))
        connection_close(CONTAINER_OF(peer->open.next, struct connection, node), false);
    uv_close((uv_handle_t *)&peer->listener, on_listener_closed);
}

int http_peer_port(const struct http_peer *peer)
{
    struct sockaddr_in address;
    int length = sizeof(address);
    ASSERT(uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.sin_port);
}

unsigned http_peer_connections(const struct http_peer *peer)
{
    return peer->connections;
}

const struct strbuf *http_peer_received(const struct http_peer *peer)
{
    return &peer->received;
}
