#include "hansom_client.h"

#include <cjson/cJSON.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "retry.h"
#include "ws_codec.h"

#define MESSAGE_MAX (4 * 1024 * 1024)
#define WATCH_MS 5000
#define CONNECT_MS 10000 /* until the connect is answered */
#define SILENCE_MS 25000 /* then a ping */
#define DEAD_MS 45000    /* then the connection is given up */

enum client_state { CLIENT_WAITING, CLIENT_CONNECTING, CLIENT_UPGRADING, CLIENT_GREETING, CLIENT_OPEN, CLIENT_ENDED };

struct hansom_client {
    uv_loop_t *loop;
    const struct hansom_client_events *events;
    void *context;
    struct sockaddr_in address;
    enum client_state state;
    uv_tcp_t *tcp;
    uv_timer_t timer;
    uv_connect_t connecting;
    struct strbuf in;
    char *token;
    uint32_t attempt, unauthorized_in_row;
    uint64_t started_ms, opened_ms, heard_ms, retry_after_ms;
    int close_code;
};

struct sending {
    uv_write_t request;
    struct strbuf bytes;
};

static void start(struct hansom_client *client);

/* --- out --- */

static void on_sent(uv_write_t *request, int status)
{
    struct sending *sending = request->data;
    (void)status; /* a broken connection is noticed by the reader */
    strbuf_finish(&sending->bytes);
    mem_free(sending);
}

/* Tries at once; what the socket does not take is queued by libuv. */
static void send_bytes(struct hansom_client *client, struct strbuf *bytes)
{
    uv_buf_t buffer = uv_buf_init(bytes->data, (unsigned)bytes->length);
    int sent = uv_try_write((uv_stream_t *)client->tcp, &buffer, 1);
    if (sent == (int)bytes->length) {
        strbuf_finish(bytes);
        return;
    }
    struct sending *sending = mem_alloc(sizeof(*sending));
    sending->bytes = *bytes;
    sending->request.data = sending;
    size_t taken = sent > 0 ? (size_t)sent : 0;
    buffer = uv_buf_init(bytes->data + taken, (unsigned)(bytes->length - taken));
    if (uv_write(&sending->request, (uv_stream_t *)client->tcp, &buffer, 1, on_sent) != 0)
        on_sent(&sending->request, -1);
}

static void send_frame(struct hansom_client *client, enum ws_opcode opcode, const char *payload, size_t length)
{
    struct strbuf bytes;
    strbuf_init(&bytes, length + 16);
    ws_write_frame(&bytes, opcode, payload, length);
    send_bytes(client, &bytes);
}

bool hansom_client_send(struct hansom_client *client, const char *json, size_t length)
{
    if (client->state != CLIENT_OPEN)
        return false;
    send_frame(client, WS_TEXT, json, length);
    return true;
}

/* --- the end of a connection, and the next --- */

static void on_tcp_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void drop_tcp(struct hansom_client *client)
{
    if (client->tcp == NULL)
        return;
    client->tcp->data = NULL;
    uv_close((uv_handle_t *)client->tcp, on_tcp_closed);
    client->tcp = NULL;
    strbuf_clear(&client->in);
    mem_free(client->token);
    client->token = NULL;
}

static void on_retry(uv_timer_t *timer)
{
    start(timer->data);
}

static void end(struct hansom_client *client, int code)
{
    if (client->state == CLIENT_OPEN && clock_monotonic_ms() - client->opened_ms >= RETRY_STABLE_MS)
        client->attempt = 0;
    drop_tcp(client);
    client->unauthorized_in_row += code == CLOSE_UNAUTHORIZED;
    bool will_retry = retry_is_allowed(code, client->unauthorized_in_row);
    uv_timer_stop(&client->timer);
    client->state = will_retry ? CLIENT_WAITING : CLIENT_ENDED;
    if (will_retry) {
        uint64_t wait_ms = client->retry_after_ms > 0
                               ? client->retry_after_ms
                               : backoff_full_jitter_ms(client->attempt++, RETRY_BASE_MS, RETRY_CAP_MS);
        uv_timer_start(&client->timer, on_retry, wait_ms, 0);
    }
    client->retry_after_ms = 0;
    if (client->events->closed != NULL)
        client->events->closed(client->context, code, will_retry);
}

/* --- in --- */

static bool is_named(const cJSON *frame, const char *op)
{
    return str_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(frame, "op")), op);
}

static void take_frame(struct hansom_client *client, const cJSON *frame)
{
    if (is_named(frame, "disconnect")) {
        const cJSON *retry = cJSON_GetObjectItemCaseSensitive(frame, "retry_after_ms");
        client->retry_after_ms = cJSON_IsNumber(retry) && retry->valuedouble > 0 ? (uint64_t)retry->valuedouble : 0;
    }
    if (client->state == CLIENT_GREETING && is_named(frame, "reply")) {
        client->state = CLIENT_OPEN;
        client->unauthorized_in_row = 0;
        client->opened_ms = clock_monotonic_ms();
        if (client->events->opened != NULL)
            client->events->opened(client->context, frame);
        return;
    }
    client->events->frame(client->context, frame);
}

static void take_text(struct hansom_client *client, const char *text, size_t length)
{
    for (const char *stop = text + length; text < stop;) {
        const char *newline = memchr(text, '\n', (size_t)(stop - text));
        size_t piece = (size_t)((newline != NULL ? newline : stop) - text);
        cJSON *frame = cJSON_ParseWithLength(text, piece);
        if (frame != NULL)
            take_frame(client, frame);
        cJSON_Delete(frame);
        text += piece + 1;
    }
}

/* False: the connection is over. */
static bool take_ws_frame(struct hansom_client *client, const struct ws_frame *frame)
{
    const unsigned char *payload = (const unsigned char *)frame->payload;
    switch (frame->opcode) {
    case WS_TEXT:
        take_text(client, frame->payload, frame->length);
        return true;
    case WS_PING:
        send_frame(client, WS_PONG, frame->payload, frame->length);
        return true;
    case WS_CLOSE:
        client->close_code = frame->length >= 2 ? payload[0] << 8 | payload[1] : 1005;
        send_frame(client, WS_CLOSE, frame->payload, frame->length >= 2 ? 2 : 0);
        end(client, client->close_code);
        return false;
    default:
        return true;
    }
}

/* Of "HTTP/1.1 401 ..."; 0 if it is not HTTP. */
static int http_status(const char *answer)
{
    const char *space = strncmp(answer, "HTTP/1.", 7) == 0 ? strchr(answer, ' ') : NULL;
    return space != NULL ? (int)strtol(space + 1, NULL, 10) : 0;
}

static bool take_upgrade(struct hansom_client *client)
{
    static const char greeting[] = "{\"op\":\"connect\",\"id\":1,\"platform\":\"other\",\"client\":\"hansom-c/1\"}";
    char *stop = memmem(client->in.data, client->in.length, "\r\n\r\n", 4);
    if (stop == NULL)
        return false;
    if (strncmp(client->in.data, "HTTP/1.1 101", 12) != 0) {
        end(client, retry_code_of_http(http_status(client->in.data)));
        return false;
    }
    size_t used = (size_t)(stop + 4 - client->in.data);
    memmove(client->in.data, client->in.data + used, client->in.length - used);
    client->in.length -= used;
    client->state = CLIENT_GREETING;
    send_frame(client, WS_TEXT, greeting, sizeof(greeting) - 1);
    return true;
}

static void take_input(struct hansom_client *client)
{
    if (client->state == CLIENT_UPGRADING && !take_upgrade(client))
        return;
    size_t used = 0;
    uv_tcp_t *tcp = client->tcp;
    while (client->tcp == tcp) {
        struct ws_frame frame;
        long size = ws_read_frame(client->in.data + used, client->in.length - used, MESSAGE_MAX, &frame);
        if (size < 0) {
            end(client, 1002);
            return;
        }
        if (size == 0)
            break;
        used += (size_t)size;
        if (!take_ws_frame(client, &frame))
            return;
    }
    if (client->tcp != tcp)
        return;
    memmove(client->in.data, client->in.data + used, client->in.length - used);
    client->in.length -= used;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct hansom_client *client = handle->data;
    (void)suggested;
    *buffer = client == NULL ? uv_buf_init(NULL, 0) : uv_buf_init(strbuf_reserve(&client->in, 4096), 4096);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct hansom_client *client = stream->data;
    (void)buffer;
    if (client == NULL || got == 0)
        return;
    if (got < 0) {
        end(client, 0);
        return;
    }
    client->heard_ms = clock_monotonic_ms();
    strbuf_grown(&client->in, (size_t)got);
    take_input(client);
}

/* --- connecting --- */

static void on_connected(uv_connect_t *request, int status)
{
    struct hansom_client *client = request->handle->data;
    if (client == NULL)
        return;
    if (status != 0) {
        end(client, 0);
        return;
    }
    struct strbuf request_text;
    char key[25], host[32];
    strbuf_init(&request_text, 2048);
    ws_make_key(key);
    uv_ip4_name(&client->address, host, sizeof(host));
    ws_write_request(&request_text, host, "/v1/ws", key, client->token);
    client->state = CLIENT_UPGRADING;
    uv_tcp_nodelay(client->tcp, 1);
    uv_read_start((uv_stream_t *)client->tcp, on_alloc, on_read);
    send_bytes(client, &request_text);
}

/* A peer that is stopped or cut off says nothing at all: it is asked, and then given up. */
static void on_watch(uv_timer_t *timer)
{
    struct hansom_client *client = timer->data;
    uint64_t now_ms = clock_monotonic_ms(), silent_ms = now_ms - client->heard_ms;
    if (client->state != CLIENT_OPEN) {
        if (now_ms - client->started_ms >= CONNECT_MS)
            end(client, 0);
    } else if (silent_ms >= DEAD_MS) {
        end(client, 0);
    } else if (silent_ms >= SILENCE_MS) {
        send_frame(client, WS_PING, "", 0);
    }
}

static void start(struct hansom_client *client)
{
    client->token = client->events->get_token(client->context);
    if (client->token == NULL) {
        end(client, 0);
        return;
    }
    client->state = CLIENT_CONNECTING;
    client->started_ms = client->heard_ms = clock_monotonic_ms();
    uv_timer_start(&client->timer, on_watch, WATCH_MS, WATCH_MS);
    client->tcp = mem_alloc(sizeof(*client->tcp));
    uv_tcp_init(client->loop, client->tcp);
    client->tcp->data = client;
    /* The request lives with the client and not with the socket: a new start waits for the old socket's end. */
    uv_connect_t *request = &client->connecting;
    if (uv_tcp_connect(request, client->tcp, (const struct sockaddr *)&client->address, on_connected) != 0)
        end(client, 0);
}

struct hansom_client *hansom_client_create(uv_loop_t *loop, const char *host, int port,
                                           const struct hansom_client_events *events, void *context)
{
    struct hansom_client *client = mem_alloc(sizeof(*client));
    client->loop = loop;
    client->events = events;
    client->context = context;
    strbuf_init(&client->in, 4096);
    ASSERT(uv_ip4_addr(host, port, &client->address) == 0);
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    uv_timer_start(&client->timer, on_retry, 0, 0);
    return client;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct hansom_client *client = handle->data;
    strbuf_finish(&client->in);
    mem_free(client);
}

void hansom_client_destroy(struct hansom_client **client_pointer)
{
    struct hansom_client *client = *client_pointer;
    *client_pointer = NULL;
    if (client == NULL)
        return;
    if (client->state == CLIENT_OPEN || client->state == CLIENT_GREETING)
        send_frame(client, WS_CLOSE, "\x03\xe8", 2);
    client->state = CLIENT_ENDED;
    drop_tcp(client);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

bool hansom_client_is_open(const struct hansom_client *client)
{
    return client->state == CLIENT_OPEN;
}

bool hansom_client_parse_url(const char *url, char host[64], int *port_r)
{
    static const char scheme[] = "http://";
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return false;
    url += sizeof(scheme) - 1;
    size_t length = strcspn(url, ":/");
    if (length == 0 || length >= 64 || url[length] != ':')
        return false;
    memcpy(host, url, length);
    host[length] = '\0';
    char *stop;
    long port = strtol(url + length + 1, &stop, 10);
    struct sockaddr_in address;
    *port_r = (int)port;
    return (*stop == '\0' || *stop == '/') && port > 0 && port < 65536 && uv_ip4_addr(host, *port_r, &address) == 0;
}
