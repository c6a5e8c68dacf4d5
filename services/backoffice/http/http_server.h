#ifndef HANSOM_HTTP_SERVER_H
#define HANSOM_HTTP_SERVER_H
/*
 * libmicrohttpd with a thread of its own; requests are handed to the loop's thread and wait there suspended for their
 * answers.
 */
#include <uv.h>

#include "http/exchange.h"

struct http_config {
    const char *address; /* IPv4 */
    uint16_t port;       /* 0: any free one */
    unsigned max_connections;
    void *context;
    /* HTTP thread, headers are read: finds the route and checks who asks; refuses with http_refuse. */
    void (*admit)(void *context, struct exchange *exchange, const char *method, const char *path);
    /* Loop thread: the whole request. */
    void (*handle)(void *context, struct exchange *exchange);
    /* Either thread, before the answer goes out. */
    void (*note_answer)(void *context, const struct exchange *exchange, double seconds);
};

struct http_server;

/* NULL with a text appended to error. */
struct http_server *http_server_create(uv_loop_t *loop, const struct http_config *config, struct strbuf *error);
/* Answers what waits with `unavailable` and ends the thread. Clears the pointer; NULL is allowed. Needs one more turn
 * of the loop. */
void http_server_destroy(struct http_server **server);
uint16_t http_server_port(const struct http_server *server);
/* No new connections; requests on those that stand are answered `unavailable`. */
void http_server_quiesce(struct http_server *server);
bool http_server_is_quiesced(const struct http_server *server);
/* Requests whose answers have not wholly gone out. */
unsigned http_server_active(const struct http_server *server);

/* For admit. */
const char *http_header(const struct exchange *exchange, const char *name);
/* The query's parameters in their order, decoded; value is NULL without an =; nothing is zero-terminated. False:
 * enough. */
typedef bool http_query_cb(void *context, const char *name, size_t name_length, const char *value, size_t value_length);
void http_query_each(const struct exchange *exchange, http_query_cb *callback, void *context);
void http_refuse(struct exchange *exchange, enum error_code code, const char *detail);

/* exchange.c */
struct exchange *exchange_create(struct http_server *server, struct MHD_Connection *connection);
void exchange_destroy(struct exchange **exchange);

#endif
