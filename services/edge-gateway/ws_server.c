#include "ws_server.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "handshake.h"
#include "http_api.h"
#include "listener.h"
#include "log/log.h"
#include "session.h"

#define PROTOCOL_NAME "hansom.v1.json"
#define HEADER_BYTES 8192
#define HEADER_POOL 1024
#define RX_BUFFER_BYTES 512
#define SERVICE_BUFFER_BYTES 16384
#define TX_PACKET_BYTES (1024 * 1024)
#define HTTP_TIMEOUT_S 5
#define CLOSE_TURNS 100
#define BODY_DROP_MAX (1024 * 1024) /* a body that is too long is answered if it ends before this */

/* What libwebsockets keeps for each connection. */
struct connection {
    struct lws *wsi;
    struct session *session; /* WebSocket; NULL before it is established */
    struct strbuf assembly;  /* of a message that came in pieces; data NULL while unused */
    int close_code;          /* 0: none wanted, -1: under way */
    const char *close_text;
    int peer_code;
    bool wants_ping;
    /* HTTP */
    struct http_exchange *exchange;
    struct strbuf body;
    const char *method;
    char path[256], *bearer, *content_type, *signature;
    bool takes_body;
    size_t body_bytes;         /* that came, kept or not */
    struct http_answer answer; /* ready when its body.data is not NULL */
};

struct ws_server {
    struct gateway *gateway;
    struct lws_context *context;
    struct lws_vhost *vhost;
    void *loops[1];
    struct address_entry *adopting; /* of the socket that is just being handed over */
};

static struct gateway *gateway_of(struct lws *wsi)
{
    struct ws_server *server = lws_context_user(lws_get_context(wsi));
    return server->gateway;
}

/* --- transport
 * ------------------------------------------------------------------------------------------------------------ */

/* A frame of which the kernel took only a part: libwebsockets keeps the rest and sends it before anything else. */
static bool hand_over_rest(struct lws *wsi, const char *rest, size_t length)
{
    unsigned char *copy = mem_alloc(LWS_PRE + length);
    memcpy(copy + LWS_PRE, rest, length);
    int written = lws_write(wsi, copy + LWS_PRE, length, LWS_WRITE_HTTP);
    mem_free(copy);
    return written >= 0;
}

/* Rounds up to whole frames; -1: broken. */
static ssize_t complete_frames(struct lws *wsi, const struct iovec *vectors, int count, size_t sent)
{
    size_t before = 0;
    for (int i = 0; i < count && before < sent; i++) {
        size_t length = vectors[i].iov_len;
        if (before + length > sent) {
            size_t taken = sent - before;
            if (!hand_over_rest(wsi, (const char *)vectors[i].iov_base + taken, length - taken))
                return -1;
            lws_callback_on_writable(wsi);
        }
        before += length;
    }
    return (ssize_t)before;
}

static ssize_t ws_send(void *opaque, const struct iovec *vectors, int count)
{
    struct connection *connection = opaque;
    struct lws *wsi = connection->wsi;
    if (lws_partial_buffered(wsi)) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(lws_get_socket_fd(wsi), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    if (sent < 0) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
        return -1;
    }
    return complete_frames(wsi, vectors, count, (size_t)sent);
}

static void ws_want_writable(void *opaque)
{
    lws_callback_on_writable(((struct connection *)opaque)->wsi);
}

/* From the kernel, so that it counts pings and pongs too, which libwebsockets keeps to itself. */
static uint64_t ws_silent_ms(void *opaque)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int fd = lws_get_socket_fd(((struct connection *)opaque)->wsi);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_last_data_recv : 0;
}

static void ws_ping(void *opaque)
{
    ((struct connection *)opaque)->wants_ping = true;
    ws_want_writable(opaque);
}

static void ws_close(void *opaque, int code, const char *text)
{
    struct connection *connection = opaque;
    connection->close_code = code;
    connection->close_text = text;
    ws_want_writable(opaque);
}

static void ws_kill(void *opaque)
{
    lws_set_timeout(((struct connection *)opaque)->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

static const struct transport_ops ws_transport = {ws_send, ws_want_writable, ws_silent_ms, ws_ping, ws_close, ws_kill};

/* --- WebSocket events
 * -------------------------------------------------------------------------------------------------------- */

static int on_confirm_upgrade(struct lws *wsi)
{
    struct gateway *gateway = gateway_of(wsi);
    enum error_code code;
    const char *detail;
    if (handshake_check(gateway, wsi, &code, &detail))
        return 0;
    struct http_answer answer = {.status = error_code_http_status(code), .content_type = "application/problem+json"};
    answer.retry_after_s = code == ERROR_unavailable ? 2 : 0;
    strbuf_init(&answer.body, 256);
    problem_write(&answer.body, code, 0, detail, NULL, answer.retry_after_s * 1000);
    handshake_refuse(wsi, &answer);
    strbuf_finish(&answer.body);
    return 1; /* ends the connection after the answer */
}

static int on_established(struct lws *wsi, struct connection *connection)
{
    *connection = (struct connection){.wsi = wsi};
    char *token = handshake_bearer_header(wsi);
    connection->session = session_create(gateway_of(wsi), &ws_transport, connection, token);
    mem_free(token);
    return 0;
}

static void take_message(struct connection *connection, const char *text, size_t length)
{
    if (utf8_is_valid(text, length))
        session_receive(connection->session, text, length);
    else
        session_close(connection->session, CLOSE_invalid_utf8, 0);
}

static void assemble(struct lws *wsi, struct connection *connection, const char *bytes, size_t length)
{
    size_t left = lws_remaining_packet_payload(wsi);
    bool is_last = left == 0 && lws_is_final_fragment(wsi);
    size_t so_far = connection->assembly.data == NULL ? 0 : connection->assembly.length;
    if (so_far + length + left > (size_t)gateway_of(wsi)->settings->max_frame_bytes) {
        session_close(connection->session, CLOSE_too_big, 0);
        return;
    }
    if (is_last && so_far == 0) {
        take_message(connection, bytes, length);
        return;
    }
    if (connection->assembly.data == NULL)
        strbuf_init(&connection->assembly, length + left);
    strbuf_append(&connection->assembly, bytes, length);
    if (!is_last)
        return;
    struct strbuf whole = connection->assembly;
    connection->assembly = (struct strbuf){0};
    take_message(connection, whole.data, whole.length);
    strbuf_finish(&whole);
}

static int on_receive(struct lws *wsi, struct connection *connection, const char *bytes, size_t length)
{
    if (connection->close_code != 0)
        return 0; /* being closed: what still comes does not matter */
    if (lws_frame_is_binary(wsi))
        session_close(connection->session, CLOSE_unsupported_data, 0);
    else
        assemble(wsi, connection, bytes, length);
    return 0;
}

/* Returning -1 from the writable callback would cut the socket without a close frame (ops-ws.c calls it permanently
 * unusable); ending it this way sends the frame and waits for the peer's. */
static void start_close(struct lws *wsi, struct connection *connection)
{
    lws_close_reason(wsi, (enum lws_close_status)connection->close_code, (unsigned char *)connection->close_text,
                     strlen(connection->close_text));
    connection->close_code = -1; /* once */
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

static int on_writable(struct lws *wsi, struct connection *connection)
{
    session_writable(connection->session);
    bool is_clear = connection->session->outbox.count == 0 && !lws_partial_buffered(wsi);
    if (is_clear && connection->close_code > 0) {
        start_close(wsi, connection);
        return 0;
    }
    if (is_clear && connection->wants_ping) {
        unsigned char ping[LWS_PRE + 1];
        connection->wants_ping = false;
        return lws_write(wsi, ping + LWS_PRE, 0, LWS_WRITE_PING) < 0 ? -1 : 0;
    }
    return 0;
}

/* A close frame without a code is a plain "I am leaving". */
static int on_peer_close(struct connection *connection, const unsigned char *payload, size_t length)
{
    connection->peer_code = length >= 2 ? (payload[0] << 8) | payload[1] : 1000;
    return 0;
}

static int on_closed(struct connection *connection)
{
    if (connection->session != NULL)
        session_closed(connection->session, connection->peer_code);
    connection->session = NULL;
    mem_free(connection->assembly.data);
    connection->assembly = (struct strbuf){0};
    return 0;
}

/* --- HTTP events
 * ---------------------------------------------------------------------------------------------------------------- */

static void on_answer(void *context, struct http_answer *answer)
{
    struct connection *connection = context;
    connection->exchange = NULL;
    connection->answer = *answer;
    lws_callback_on_writable(connection->wsi);
}

/* The query's pieces are copied by whoever needs them longer. */
static void start_exchange(struct connection *connection)
{
    char query[HTTP_QUERY_MAX][HTTP_QUERY_VALUE_MAX];
    struct http_request request = {.method = connection->method,
                                   .path = connection->path,
                                   .bearer = connection->bearer,
                                   .content_type = connection->content_type,
                                   .signature = connection->signature,
                                   .body = connection->body.data == NULL ? "" : connection->body.data,
                                   .body_length = connection->body.data == NULL ? 0 : connection->body.length};
    for (size_t i = 0; i < HTTP_QUERY_MAX && handshake_query(connection->wsi, i, query[i], sizeof(query[i])); i++)
        request.query[i] = query[i];
    connection->exchange = http_api_handle(gateway_of(connection->wsi), &request, on_answer, connection);
}

static int on_http(struct lws *wsi, struct connection *connection)
{
    *connection = (struct connection){.wsi = wsi};
    connection->method = handshake_method(wsi, connection->path, sizeof(connection->path));
    connection->bearer = handshake_bearer_header(wsi);
    connection->content_type = handshake_content_type(wsi);
    connection->signature = handshake_signature(wsi);
    bool may_have_body = str_equal(connection->method, "POST") || str_equal(connection->method, "PUT");
    connection->takes_body = may_have_body && handshake_has_body(wsi);
    if (!connection->takes_body)
        start_exchange(connection);
    return 0;
}

static int on_http_body(struct connection *connection, const char *bytes, size_t length)
{
    if (!connection->takes_body)
        return 0; /* is being answered without it */
    if (connection->body.data == NULL)
        strbuf_init(&connection->body, length);
    connection->body_bytes += length;
    size_t room = HTTP_BODY_MAX + 1 - connection->body.length; /* one more than allowed shows that it was too long */
    strbuf_append(&connection->body, bytes, length < room ? length : room);
    return connection->body_bytes > BODY_DROP_MAX ? -1 : 0;
}

static int on_http_body_complete(struct connection *connection)
{
    if (connection->takes_body)
        start_exchange(connection);
    connection->takes_body = false;
    return 0;
}

static void finish_http(struct connection *connection)
{
    http_exchange_cancel(&connection->exchange);
    mem_free(connection->body.data);
    mem_free(connection->bearer);
    mem_free(connection->content_type);
    mem_free(connection->signature);
    http_answer_finish(&connection->answer);
    *connection = (struct connection){.wsi = connection->wsi};
}

static int on_http_writable(struct lws *wsi, struct connection *connection)
{
    if (connection->answer.body.data == NULL)
        return 0;
    expiring_apply(&connection->answer.expiring, connection->answer.body.data, clock_wall_ms());
    bool is_written = handshake_write_answer(wsi, &connection->answer);
    finish_http(connection);
    return is_written && lws_http_transaction_completed(wsi) == 0 ? 0 : -1;
}

/* --- one callback, one row per reason
 * ------------------------------------------------------------------------------------------------ */

static void on_destroy(struct lws *wsi)
{
    struct ws_server *server = lws_context_user(lws_get_context(wsi));
    struct address_entry *address = lws_get_opaque_user_data(wsi);
    if (address == NULL) {
        address = server->adopting;
        server->adopting = NULL;
    }
    if (address != NULL)
        listener_left(address);
    lws_set_opaque_user_data(wsi, NULL);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
    struct connection *connection = user;
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return on_confirm_upgrade(wsi);
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(wsi, connection);
    case LWS_CALLBACK_RECEIVE:
        return on_receive(wsi, connection, in, length);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_writable(wsi, connection);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return on_peer_close(connection, in, length);
    case LWS_CALLBACK_CLOSED:
        return on_closed(connection);
    case LWS_CALLBACK_HTTP:
        return on_http(wsi, connection);
    case LWS_CALLBACK_HTTP_BODY:
        return on_http_body(connection, in, length);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return on_http_body_complete(connection);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return on_http_writable(wsi, connection);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (connection != NULL)
            finish_http(connection);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        on_destroy(wsi);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {PROTOCOL_NAME, on_event, sizeof(struct connection), RX_BUFFER_BYTES, 0, NULL, TX_PACKET_BYTES},
    {0},
};

/* --- life
 * ----------------------------------------------------------------------------------------------------------------------------
 */

static void on_lws_log(int level, const char *line)
{
    /* Said at every hand-over with bytes, as an error. */
    if (strstr(line, "adopt_socket_readbuf") != NULL)
        return;
    size_t length = strcspn(line, "\n");
    char *text = mem_strndup(line, length);
    if (level == LLL_ERR)
        LOG_WARN("transport", LOG_STR("text", text));
    else
        LOG_DEBUG("transport", LOG_STR("text", text));
    mem_free(text);
}

struct ws_server *ws_server_create(struct gateway *gateway, struct strbuf *error)
{
    /* Its own pings count only pongs as a sign of life and sit in a linked list: ours are on the wheel. */
    static const lws_retry_bo_t no_validity_checks = {0};
    struct ws_server *server = mem_alloc(sizeof(*server));
    server->gateway = gateway;
    server->loops[0] = gateway->loop;
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_IPV6,
        .foreign_loops = server->loops,
        .user = server,
        .pcontext = &server->context,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .max_http_header_data = HEADER_BYTES,
        .max_http_header_pool = HEADER_POOL,
        .pt_serv_buf_size = SERVICE_BUFFER_BYTES,
        .timeout_secs = HTTP_TIMEOUT_S,
        .keepalive_timeout = HTTP_TIMEOUT_S,
        .retry_and_idle_policy = &no_validity_checks,
        .vhost_name = "default",
    };
    server->context = lws_create_context(&info);
    server->vhost = server->context == NULL ? NULL : lws_get_vhost_by_name(server->context, "default");
    if (server->vhost == NULL) {
        strbuf_append_string(error, "libwebsockets cannot start; is libwebsockets-evlib-uv installed?");
        ws_server_destroy(&server);
    }
    return server;
}

void ws_server_destroy(struct ws_server **server_pointer)
{
    struct ws_server *server = *server_pointer;
    *server_pointer = NULL;
    if (server == NULL)
        return;
    if (server->context != NULL) {
        lws_context_destroy(server->context);
        /* On a foreign loop its objects end in close callbacks, which still ask for the server; the pointer is cleared
         * when all is gone. */
        for (int i = 0; i < CLOSE_TURNS && server->context != NULL; i++) {
            if (i == CLOSE_TURNS / 2)
                lws_context_destroy(server->context);
            uv_run(server->loops[0], UV_RUN_NOWAIT);
        }
        if (server->context != NULL)
            LOG_ERROR("transport_left_open");
    }
    mem_free(server);
}

void ws_server_adopt(struct ws_server *server, int fd, struct address_entry *address, const struct strbuf *head)
{
    /* With bytes in hand the request is served before the object is returned, so its end may come first too. */
    server->adopting = address;
    struct lws *wsi = head == NULL ? lws_adopt_socket_vhost(server->vhost, fd)
                                   : lws_adopt_socket_vhost_readbuf(server->vhost, fd, head->data, head->length);
    if (wsi != NULL && server->adopting != NULL)
        lws_set_opaque_user_data(wsi, address);
    else if (server->adopting != NULL)
        listener_left(address);
    server->adopting = NULL;
}
