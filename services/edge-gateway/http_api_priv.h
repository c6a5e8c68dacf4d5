#ifndef HANSOM_HTTP_API_PRIV_H
#define HANSOM_HTTP_API_PRIV_H
/* Shared by the files that answer REST routes. */
#include "booking_cache.h"
#include "channel_items.h"
#include "http_api.h"

#define JSON_TYPE "application/json"

/* A page of user events while it is read. */
struct http_events {
    struct channel_name channel;
    struct bus_walk *walk;
    struct json_writer json; /* into ready.body */
    uint64_t epoch;
    uint64_t last, shown; /* sequences: of the last item, of the last one that is in the page; 0: none */
    uint32_t count;
    bool is_recovered;
};

struct http_route;

struct http_exchange {
    struct gateway *gateway;
    const struct http_route *route; /* while it waits to be let through, with a copy of the request */
    struct http_request held;
    char *held_texts;
    http_answer_cb *answer;
    void *context;
    struct principal *principal;
    char id[ID_SIZE]; /* from the path */
    struct booking_entry *entry;
    struct booking_waiter waiter;
    struct bus_request *request;
    uv_timer_t *soon; /* an answer that is known already comes from the loop */
    struct http_answer ready;
    char *reason; /* chat: of staff; NULL */
    struct http_events events;
    struct {
        bool has_before, has_after;
        uint64_t epoch, sequence;
        uint32_t limit;
    } page;
};

/* A request to another service; the callback gets the exchange, whose `request` is this one. */
void http_ask(struct http_exchange *exchange, const char *subject, const ProtobufCMessage *message,
              bus_reply_cb *callback);
/* Sends what is in exchange->ready.body on the next turn of the loop, and frees the exchange. */
void http_answer_soon(struct http_exchange *exchange, int status, const char *content_type);
void http_fail(struct http_exchange *exchange, enum error_code code, const char *detail);
void http_fail_bus(struct http_exchange *exchange);
/* NULL: not given. */
const char *http_query(const struct http_request *request, const char *name);

/* http_events.c */
void http_get_my_events(struct http_exchange *exchange, const struct http_request *request);
void http_post_my_events_ack(struct http_exchange *exchange, const struct http_request *request);

/* http_notify.c */
void http_put_device(struct http_exchange *exchange, const struct http_request *request);
void http_delete_device(struct http_exchange *exchange, const struct http_request *request);
void http_post_sms_status(struct http_exchange *exchange, const struct http_request *request);

/* http_chat.c */
void http_get_chat(struct http_exchange *exchange, const struct http_request *request);
void http_get_my_chats(struct http_exchange *exchange, const struct http_request *request);

#endif
