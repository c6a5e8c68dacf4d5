#ifndef HANSOM_EXCHANGE_H
#define HANSOM_EXCHANGE_H
/*
 * One request and its answer. It is made and freed on the HTTP thread; between http_server's hand-over and the answer
 * it belongs to the loop thread alone, and cannot go away.
 */
#include <stdatomic.h>

#include "base/ids.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "wire/wire.h"

#define IDEMPOTENCY_KEY_MAX 255

struct cJSON;
struct MHD_Connection;
struct http_server;
struct route;
struct exchange_block;
struct query;

struct exchange {
    /* the request; does not change once the loop has it */
    const struct route *route; /* NULL: none was found, it is refused */
    char id[ID_SIZE];          /* what stands for {id}, "" without one */
    char request_id[ID_SIZE];
    char idempotency_key[IDEMPOTENCY_KEY_MAX + 1]; /* "": none */
    struct query *query;                           /* core/query.h; NULL when the route takes no parameters */
    struct strbuf body;
    struct cJSON *json; /* the body, when the route has one */

    /* the answer */
    unsigned status;
    struct strbuf answer;
    const char *content_type;
    uint64_t retry_after_ms;
    char allow[64];

    /* Called instead of sending, once; goes on with exchange_send. */
    void (*before_send)(struct exchange *exchange);
    void *before_send_context;

    /* http_server.c's */
    struct list_node node;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct exchange_block *blocks;
    uint64_t started_us;
    size_t received_bytes;
    bool is_refused; /* answered by the HTTP thread alone */
    atomic_bool is_answered;
};

/* Zeroed memory, and a copy of a string, that live as long as the exchange. */
void *exchange_alloc(struct exchange *exchange, size_t size_bytes);
char *exchange_strdup(struct exchange *exchange, const char *string);

/* Answers with the JSON (or nothing) that was written to exchange->answer. */
void exchange_reply(struct exchange *exchange, unsigned status);
/* Answers with problem+json; detail names the field. retry_after_ms 0: not said. */
void exchange_fail(struct exchange *exchange, enum error_code code, const char *detail);
/* As exchange_fail with `unavailable`, and when to try again. */
void exchange_unavailable(struct exchange *exchange, const char *detail);
/* What before_send ends with. */
void exchange_send(struct exchange *exchange);
/* Writes a failure into the answer without sending it. */
void exchange_set_failure(struct exchange *exchange, enum error_code code, const char *detail);

#endif
