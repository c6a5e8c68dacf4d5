#include "sink_connection.h"

#include <string.h>

#define READ_SIZE 65536
#define ANSWERS_INITIAL 4096
/* Fits FCM's messages:send, its token endpoint, and everybody who looks at the status only. */
#define ANSWER_BODY                                                                                                    \
    "{\"name\":\"projects/sink/messages/1\",\"access_token\":\"sink\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"

struct sink_connection {
    struct sink *sink;
    struct list_node node;
    uv_tcp_t tcp;
    nghttp2_session *session;
    SSL *tls;                 /* NULL: none */
    BIO *from_peer, *to_peer; /* the TLS session owns them */
    struct strbuf out;
    size_t waiting; /* answers in the ring */
    bool is_closed, is_dirty;
};

struct write_job {
    uv_write_t request;
    struct sink_connection *connection;
    char *bytes;
};

/* --- the ring ---------------------------------------------------------------------------------------------------- */
static void ring_grow(struct sink *sink)
{
    size_t capacity = sink->answers_capacity * 2;
    struct sink_answer *answers = mem_alloc(capacity * sizeof(*answers));
    for (size_t i = 0; i < sink->answers_count; i++)
        answers[i] = sink->answers[(sink->answers_head + i) & (sink->answers_capacity - 1)];
    mem_free(sink->answers);
    sink->answers = answers;
    sink->answers_head = 0;
    sink->answers_capacity = capacity;
}

static void ring_push(struct sink *sink, const struct sink_answer *answer)
{
    if (sink->answers_count == sink->answers_capacity)
        ring_grow(sink);
    sink->answers[(sink->answers_head + sink->answers_count++) & (sink->answers_capacity - 1)] = *answer;
    if (sink->answers_count > sink->waiting_max)
        sink->waiting_max = sink->answers_count;
}

static struct sink_answer *ring_head(struct sink *sink)
{
    return sink->answers_count == 0 ? NULL : &sink->answers[sink->answers_head];
}

static void ring_pop(struct sink *sink)
{
    sink->answers_head = (sink->answers_head + 1) & (sink->answers_capacity - 1);
    sink->answers_count--;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */
static void free_if_done(struct sink_connection *connection)
{
    if (!connection->is_closed || connection->waiting > 0 || connection->tcp.data != NULL)
        return;
    nghttp2_session_del(connection->session);
    SSL_free(connection->tls);
    strbuf_finish(&connection->out);
    mem_free(connection);
}

static void on_closed(uv_handle_t *handle)
{
    struct sink_connection *connection = handle->data;
    handle->data = NULL;
    free_if_done(connection);
}

void sink_connection_close(struct sink_connection *connection)
{
    if (connection->is_closed)
        return;
    connection->is_closed = true;
    list_remove(&connection->node);
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

static void on_written(uv_write_t *request, int status)
{
    struct write_job *job = CONTAINER_OF(request, struct write_job, request);
    if (status < 0)
        sink_connection_close(job->connection);
    mem_free(job->bytes);
    mem_free(job);
}

static void write_later(struct sink_connection *connection, const char *bytes, size_t length)
{
    struct write_job *job = mem_alloc(sizeof(*job));
    job->connection = connection;
    job->bytes = mem_dup(bytes, length);
    uv_buf_t buffer = uv_buf_init(job->bytes, (unsigned)length);
    if (uv_write(&job->request, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written) != 0)
        on_written(&job->request, UV_EPIPE);
}

static void write_raw(struct sink_connection *connection, char *bytes, size_t length)
{
    if (length == 0 || connection->is_closed)
        return;
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)length);
    int written = uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) {
        sink_connection_close(connection);
        return;
    }
    size_t done = written < 0 ? 0 : (size_t)written;
    if (done < length)
        write_later(connection, bytes + done, length - done);
}

static void write_encrypted(struct sink_connection *connection)
{
    if (connection->out.length > 0 &&
        SSL_write(connection->tls, connection->out.data, (int)connection->out.length) <= 0)
        sink_connection_close(connection);
    char *bytes;
    long length = BIO_get_mem_data(connection->to_peer, &bytes);
    write_raw(connection, bytes, (size_t)length);
    (void)BIO_reset(connection->to_peer);
}

static void flush(struct sink_connection *connection)
{
    connection->is_dirty = false;
    if (connection->is_closed || (connection->tls != NULL && !SSL_is_init_finished(connection->tls)))
        return;
    const uint8_t *piece;
    ssize_t length;
    strbuf_clear(&connection->out);
    while ((length = nghttp2_session_mem_send(connection->session, &piece)) > 0)
        strbuf_append(&connection->out, piece, (size_t)length);
    if (connection->tls == NULL)
        write_raw(connection, connection->out.data, connection->out.length);
    else
        write_encrypted(connection);
    if (length < 0 ||
        (!nghttp2_session_want_read(connection->session) && !nghttp2_session_want_write(connection->session)))
        sink_connection_close(connection);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */
static ssize_t read_constant(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size, uint32_t *flags,
                             nghttp2_data_source *source, void *context)
{
    (void)session, (void)stream, (void)source, (void)context;
    ASSERT(size >= sizeof(ANSWER_BODY));
    memcpy(buffer, ANSWER_BODY, sizeof(ANSWER_BODY) - 1);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return sizeof(ANSWER_BODY) - 1;
}

static ssize_t read_counts(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *context)
{
    (void)session, (void)stream, (void)source;
    const struct sink *sink = ((struct sink_connection *)context)->sink;
    struct strbuf text;
    strbuf_init(&text, 128);
    strbuf_appendf(&text, "{\"requests\":%llu,\"answered\":%llu}", (unsigned long long)sink->requests,
                   (unsigned long long)sink->answered);
    size_t length = text.length;
    ASSERT(length <= size);
    memcpy(buffer, text.data, length);
    strbuf_finish(&text);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

#define HEADER(name, value)                                                                                            \
    {                                                                                                                  \
        (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1,                                    \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                                               \
    }

static void answer(struct sink_connection *connection, int32_t stream, nghttp2_data_source_read_callback read)
{
    static const nghttp2_nv headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/json")};
    const nghttp2_data_provider provider = {.read_callback = read};
    /* A stream that the client has reset meanwhile is not answered: nghttp2 says so, and that is all right. */
    if (nghttp2_submit_response(connection->session, stream, headers, ARRAY_LEN(headers), &provider) == 0)
        connection->sink->answered += read == read_constant;
}

static void on_due(uv_timer_t *timer)
{
    struct sink *sink = timer->data;
    uint64_t now_ms = uv_now(sink->loop);
    struct sink_answer *head;
    while ((head = ring_head(sink)) != NULL && head->due_ms <= now_ms) {
        struct sink_connection *connection = head->connection;
        if (!connection->is_closed)
            answer(connection, head->stream, read_constant);
        connection->is_dirty = true;
        ring_pop(sink);
        if (--connection->waiting == 0)
            free_if_done(connection);
    }
    LIST_EACH_SAFE(&sink->connections, node, following)
    {
        struct sink_connection *connection = CONTAINER_OF(node, struct sink_connection, node);
        if (connection->is_dirty)
            flush(connection);
    }
    if (head != NULL)
        uv_timer_start(timer, on_due, head->due_ms - now_ms, 0);
}

static void request_complete(struct sink_connection *connection, int32_t stream)
{
    struct sink *sink = connection->sink;
    if (nghttp2_session_get_stream_user_data(connection->session, stream) != NULL) {
        answer(connection, stream, read_counts);
        return;
    }
    sink->requests++;
    if (sink->delay_ms == 0) {
        answer(connection, stream, read_constant);
        return;
    }
    connection->waiting++;
    ring_push(sink, &(struct sink_answer){connection, stream, uv_now(sink->loop) + sink->delay_ms});
    if (sink->answers_count == 1)
        uv_timer_start(&sink->timer, on_due, sink->delay_ms, 0);
}

/* --- what nghttp2 tells ------------------------------------------------------------------------------------------ */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *context)
{
    (void)flags, (void)context;
    /* Any pointer marks the stream as one that asks for the counts. */
    if (name_length == 7 && memcmp(name, ":method", 7) == 0 && value_length == 3 && memcmp(value, "GET", 3) == 0)
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, session);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        request_complete(context, frame->hd.stream_id);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t length,
                   void *context)
{
    (void)session, (void)flags, (void)stream, (void)data;
    ((struct sink_connection *)context)->sink->body_bytes += length;
    return 0;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle, (void)suggested;
    static char bytes[READ_SIZE]; /* one loop, one read at a time */
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static bool take_plain(struct sink_connection *connection, const char *bytes, size_t length)
{
    return nghttp2_session_mem_recv(connection->session, (const uint8_t *)bytes, length) == (ssize_t)length;
}

static bool take_encrypted(struct sink_connection *connection, const char *bytes, size_t length)
{
    static char plain[READ_SIZE];
    int count;
    BIO_write(connection->from_peer, bytes, (int)length);
    while ((count = SSL_read(connection->tls, plain, sizeof(plain))) > 0) {
        if (!take_plain(connection, plain, (size_t)count))
            return false;
    }
    bool is_alive = SSL_get_error(connection->tls, count) == SSL_ERROR_WANT_READ;
    if (!SSL_is_init_finished(connection->tls))
        write_encrypted(connection);
    return is_alive;
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct sink_connection *connection = stream->data;
    if (length == 0)
        return;
    bool is_alive = length > 0 && (connection->tls == NULL ? take_plain(connection, buffer->base, (size_t)length)
                                                           : take_encrypted(connection, buffer->base, (size_t)length));
    if (is_alive)
        flush(connection);
    else
        sink_connection_close(connection);
}

/* --- beginning and end ------------------------------------------------------------------------------------------- */
static void start_tls(struct sink_connection *connection)
{
    if (connection->sink->tls == NULL)
        return;
    connection->tls = SSL_new(connection->sink->tls);
    connection->from_peer = BIO_new(BIO_s_mem());
    connection->to_peer = BIO_new(BIO_s_mem());
    ASSERT(connection->tls != NULL && connection->from_peer != NULL && connection->to_peer != NULL);
    BIO_set_mem_eof_return(connection->from_peer, -1);
    SSL_set_bio(connection->tls, connection->from_peer, connection->to_peer);
    SSL_set_accept_state(connection->tls);
}

static void start_session(struct sink_connection *connection)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, connection->sink->streams_max}};
    int status = nghttp2_session_server_new(&connection->session, connection->sink->callbacks, connection);
    ASSERT(status == 0);
    status = nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    ASSERT(status == 0);
    /* Else 64 kB of bodies would wait for a window update. */
    status = nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0, 1 << 24);
    ASSERT(status == 0);
}

void sink_connection_accept(struct sink *sink, uv_stream_t *listener)
{
    struct sink_connection *connection = mem_alloc(sizeof(*connection));
    connection->sink = sink;
    strbuf_init(&connection->out, READ_SIZE);
    list_append(&sink->connections, &connection->node);
    int status = uv_tcp_init(sink->loop, &connection->tcp);
    ASSERT(status == 0);
    connection->tcp.data = connection;
    start_tls(connection);
    start_session(connection);
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0) {
        sink_connection_close(connection);
        return;
    }
    sink->connections_seen++;
    uv_tcp_nodelay(&connection->tcp, 1);
    uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read);
}

void sink_close_all(struct sink *sink)
{
    LIST_EACH_SAFE(&sink->connections, node, following)
    sink_connection_close(CONTAINER_OF(node, struct sink_connection, node));
    struct sink_answer *head;
    for (; (head = ring_head(sink)) != NULL; ring_pop(sink)) {
        head->connection->waiting--;
        free_if_done(head->connection);
    }
}

void sink_init(struct sink *sink, uv_loop_t *loop)
{
    sink->loop = loop;
    sink->timer.data = sink;
    list_init(&sink->connections);
    sink->answers_capacity = ANSWERS_INITIAL;
    sink->answers = mem_alloc(sink->answers_capacity * sizeof(*sink->answers));
    int status = nghttp2_session_callbacks_new(&sink->callbacks);
    ASSERT(status == 0);
    nghttp2_session_callbacks_set_on_header_callback(sink->callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(sink->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(sink->callbacks, on_data);
}

void sink_finish(struct sink *sink)
{
    nghttp2_session_callbacks_del(sink->callbacks);
    SSL_CTX_free(sink->tls);
    mem_free(sink->answers);
}
