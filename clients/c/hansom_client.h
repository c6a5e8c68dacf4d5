#ifndef HANSOM_CLIENT_H
#define HANSOM_CLIENT_H
/*
 * A connection to a gateway over WebSocket in JSON, on the caller's libuv loop; thousands fit on one. It connects again
 * by itself as PROTOCOL section 5 says: 44xx stops (4408, 4429 and a first 4401 excepted), 45xx and cuts come back with
 * full jitter from 0.5 s to 30 s, retry_after_ms is obeyed. A connect that takes longer than 10 s is tried again; a
 * silent server is pinged after 25 s and given up after 45 s. IPv4, no TLS: for tools and tests.
 */
#include <uv.h>

#include "base/base.h"

struct cJSON;
struct hansom_client;

struct hansom_client_events {
    /* A fresh access token for this connection (mem_free is called on it); NULL: none to be had now, tried again. */
    char *(*get_token)(void *context);
    /* The connect was answered; subscribe here, each time anew. May be NULL. */
    void (*opened)(void *context, const struct cJSON *welcome);
    /* Any other frame. */
    void (*frame)(void *context, const struct cJSON *frame);
    /* It ended; code of the close frame, 0 for a cut. will_retry: it comes back by itself. May be NULL. */
    void (*closed)(void *context, int code, bool will_retry);
};

/* host is an IPv4 address. events and context must outlive it. Starts connecting at once. */
struct hansom_client *hansom_client_create(uv_loop_t *loop, const char *host, int port,
                                           const struct hansom_client_events *events, void *context);
/* Closes with 1000 if it is open. Clears the pointer; NULL is allowed. Needs turns of the loop. */
void hansom_client_destroy(struct hansom_client **client);
bool hansom_client_is_open(const struct hansom_client *client);
/* One frame of JSON text; false while it is not open. */
bool hansom_client_send(struct hansom_client *client, const char *json, size_t length);
/* "http://127.0.0.1:8080" into its parts. */
MUST_CHECK bool hansom_client_parse_url(const char *url, char host[64], int *port_r);

#endif
