#ifndef HANSOM_HTTP_API_PRIV_H
#define HANSOM_HTTP_API_PRIV_H
/* Shared by the files that answer REST routes. */
#include "booking_cache.h"
#include "http_api.h"

#define JSON_TYPE "application/json"

struct http_exchange {
    struct gateway *gateway;
    http_answer_cb *answer;
    void *context;
    struct principal *principal;
    char id[ID_SIZE]; /* from the path */
    struct booking_entry *entry;
    struct booking_waiter waiter;
    struct bus_request *request;
    uv_timer_t *soon; /* an answer that is known already comes from the loop */
    struct http_answer ready;
    /* chat */
    char *reason; /* of staff; NULL */
    struct {
        bool has_before, has_after;
        uint64_t epoch, sequence;
        uint32_t limit;
    } page;
};

/* Sends what is in exchange->ready.body on the next turn of the loop, and frees the exchange. */
void http_answer_soon(struct http_exchange *exchange, int status, const char *content_type);
void http_fail(struct http_exchange *exchange, enum error_code code, const char *detail);
void http_fail_bus(struct http_exchange *exchange);
/* NULL: not given. */
const char *http_query(const struct http_request *request, const char *name);

/* http_chat.c */
void http_get_chat(struct http_exchange *exchange, const struct http_request *request);
void http_get_my_chats(struct http_exchange *exchange, const struct http_request *request);

#endif
