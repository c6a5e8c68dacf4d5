#ifndef HANSOM_TRANSFER_H
#define HANSOM_TRANSFER_H
/*
 * HTTP and SMTP requests on the loop, by libcurl's multi interface: HTTP/2 multiplexed where the peer speaks it,
 * connections kept. Nothing blocks but name resolution's own threads. Environment proxies are ignored; redirects are
 * never followed.
 */
#include <uv.h>

#include "base/strbuf.h"

struct transfer_client;
struct transfer;

struct transfer_options {
    const char *ca_file;             /* PEM of certificates trusted beside the system's; "": none */
    unsigned connections_per_host;   /* 1..64 */
    unsigned streams_per_connection; /* of HTTP/2, 1..1000 */
    bool allows_private;             /* foreign requests may go to private addresses and over http (tests) */
};

struct transfer_mail {
    const char *from, *to;       /* addresses without names */
    const char *user, *password; /* "": no authentication */
    bool requires_tls;           /* STARTTLS, or smtps:// in the URL */
};

struct transfer_request {
    const char *method; /* "POST"; ignored for mail */
    const char *url;
    const char *const *headers; /* "name: value" */
    size_t header_count;
    const void *body; /* mail: the whole RFC 5322 message */
    size_t body_length;
    const char *basic_user, *basic_password; /* NULL: none */
    uint32_t timeout_ms;
    int64_t starts_until_ms; /* wall clock; what has not begun to be sent by then never is. 0: no limit */
    /* The URL comes from outside: https only, and never to a private, loopback, link-local, multicast or otherwise
     * special address, judged after resolution at the moment of connecting. */
    bool is_foreign;
    bool is_http2_only;               /* HTTP/2 without trying anything else */
    const struct transfer_mail *mail; /* NULL: HTTP */
};

enum transfer_failure {
    TRANSFER_OK,      /* an answer came, whatever its status says */
    TRANSFER_REFUSED, /* the URL or the address is not allowed: nothing was sent */
    TRANSFER_CONNECT, /* no connection, no TLS, no log-in: the request was not sent */
    TRANSFER_LATE,    /* starts_until_ms came first: the request was not sent */
    TRANSFER_TIMEOUT, /* it may have been taken */
    TRANSFER_CUT,     /* it may have been taken */
};

#define TRANSFER_BODY_MAX 65536 /* longer answers are cut off; status and headers count all the same */
struct transfer_reply {
    enum transfer_failure failure;
    int status;       /* HTTP, or the last SMTP one; 0 if none came */
    const char *body; /* zero-terminated */
    size_t body_length;
    const char *problem; /* for logs: libcurl's words; never holds what was sent */
};
/* Valid during the callback: the value of a header of the answer (any case), NULL if absent. */
const char *transfer_header(const struct transfer *transfer, const char *name);
/* Retry-After in either form (seconds, HTTP date) as milliseconds from now, 0: absent or not understood, at most a
 * day. */
uint64_t transfer_retry_after_ms(const struct transfer *transfer);

typedef void transfer_done_cb(void *context, const struct transfer *transfer, const struct transfer_reply *reply);

/* NULL with a text appended to error. */
struct transfer_client *transfer_client_create(uv_loop_t *loop, const struct transfer_options *options,
                                               struct strbuf *error);
/* Transfers under way are dropped without a callback. Clears the pointer; NULL is allowed. Needs one more turn of the
 * loop. */
void transfer_client_destroy(struct transfer_client **client);
/* Everything in the request is copied. The callback comes exactly once (unless cancelled), never before this returns.
 * Never NULL. */
struct transfer *transfer_start(struct transfer_client *client, const struct transfer_request *request,
                                transfer_done_cb *callback, void *context);
/* No callback comes after it. Clears the pointer; NULL is allowed. */
void transfer_cancel(struct transfer **transfer);
size_t transfer_count(const struct transfer_client *client);

#endif
