#ifndef HANSOM_HTTP_PEER_H
#define HANSOM_HTTP_PEER_H
/*
 * A peer on loopback in the test's own loop. It says what it was told to say whenever as much has come in as it was
 * told to wait for: enough for HTTP/1.1 and for plain SMTP.
 */
#include <uv.h>

#include "base/strbuf.h"

struct http_peer;

/* What it does when a connection has sent `wanted` (a substring; "" at once). The last step is done again and again. */
struct peer_step {
    const char *wanted;
    const char *answer; /* NULL: none */
    bool closes, resets;
};

struct http_peer *http_peer_create(uv_loop_t *loop, const struct peer_step *steps, size_t count);
void http_peer_destroy(struct http_peer **peer);
int http_peer_port(const struct http_peer *peer);
unsigned http_peer_connections(const struct http_peer *peer);
/* All that came in, of all connections. */
const struct strbuf *http_peer_received(const struct http_peer *peer);

#endif
