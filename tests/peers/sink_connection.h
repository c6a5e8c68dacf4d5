#ifndef HANSOM_SINK_CONNECTION_H
#define HANSOM_SINK_CONNECTION_H
/*
 * One HTTP/2 connection of the push sink, over TLS or in the clear. Every POST is counted and answered with the same
 * body after the sink's delay; a GET is answered with the counts at once and not counted.
 */
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "base/list.h"
#include "base/strbuf.h"

struct sink_connection;

/* An answer that waits for its time. */
struct sink_answer {
    struct sink_connection *connection;
    int32_t stream;
    uint64_t due_ms; /* of the loop */
};

struct sink {
    uv_loop_t *loop;
    uv_timer_t timer;
    SSL_CTX *tls; /* NULL: HTTP/2 with prior knowledge */
    nghttp2_session_callbacks *callbacks;
    uint64_t delay_ms;
    uint32_t streams_max;
    struct list_node connections;
    uint64_t requests, answered, body_bytes, connections_seen, waiting_max;
    /* Ring of answers, oldest first: all have the same delay. capacity is a power of two. */
    struct sink_answer *answers;
    size_t answers_head, answers_count, answers_capacity;
};

/* Fills callbacks and the ring; timer must be initialised already. */
void sink_init(struct sink *sink, uv_loop_t *loop);
/* When the loop has ended. */
void sink_finish(struct sink *sink);

/* Accepts what waits at the listener; refuses by closing. */
void sink_connection_accept(struct sink *sink, uv_stream_t *listener);
/* The pointer stays valid until the loop turns. */
void sink_connection_close(struct sink_connection *connection);
void sink_close_all(struct sink *sink);

#endif
