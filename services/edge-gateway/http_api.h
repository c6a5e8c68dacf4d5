#ifndef HANSOM_HTTP_API_H
#define HANSOM_HTTP_API_H
/* The REST routes of the public port, apart from what carries them. */
#include "expiring.h"
#include "gateway.h"

struct http_answer {
    int status;
    const char *content_type; /* a literal; NULL with 204 */
    struct strbuf body;
    struct expiring expiring; /* what in the body expires */
    uint64_t retry_after_s;   /* 0: none */
    char allow[32];           /* with 405: the methods that the path has */
};

struct http_exchange; /* one request that is being answered */
void http_answer_finish(struct http_answer *answer);
/* Comes once, never before http_api_handle returned. The answer is the callee's, to be ended by http_answer_finish. */
typedef void http_answer_cb(void *context, struct http_answer *answer);

#define HTTP_QUERY_MAX 8
#define HTTP_QUERY_VALUE_MAX 640
struct http_request {
    const char *method, *path;
    const char *query[HTTP_QUERY_MAX]; /* "name=value", decoded; NULL where there is none */
    const char *bearer;                /* token of the Authorization header, or NULL */
    const char *content_type;          /* or NULL */
    const char *signature;             /* X-Twilio-Signature, or NULL */
    const char *body;                  /* zero-terminated */
    size_t body_length;
};
#define HTTP_BODY_MAX 8192 /* a longer body is refused */

/* Begins; `answer` is called when it is ready. Never NULL. */
struct http_exchange *http_api_handle(struct gateway *gateway, const struct http_request *request,
                                      http_answer_cb *answer, void *context);
/* The asker is gone: no answer will come. Clears the pointer; NULL is allowed. */
void http_exchange_cancel(struct http_exchange **exchange);

#endif
