#ifndef HANSOM_REQUEST_H
#define HANSOM_REQUEST_H
/* One request of another service that is being answered. */
#include "base/list.h"
#include "notifier.h"
#include "wire/wire.h"

/* Of a statement or a call to the bus: whoever asks waits 3 s. */
#define REQUEST_TIMEOUT_MS 1200

enum request_kind {
#define REQUEST(name, subject, request, reply) REQUEST_KIND_##name,
#include "requests.def"
    REQUEST_KIND_COUNT,
};

struct request {
    struct list_node node;
    struct notifier *app;
    enum request_kind kind;
    char reply_subject[128];
    ProtobufCMessage *reply; /* made by its unpack, freed with the request */
};

/* Each of these answers, and frees the request. */
void request_answer(struct request *request);
void request_fail(struct request *request, enum error_code code);
/* Replies that are NotifyReply: detail begins with the field's name. */
void request_refuse(struct request *request, enum error_code code, const char *detail);
/* The usual end of a statement: true when it is PG_OK; else it was answered with `unavailable`. */
bool request_query_done(struct request *request, enum pg_status status, const struct pg_result *result);
/* On the connections for requests. */
void request_query(struct request *request, const char *sql, size_t count, const char *const *parameters,
                   pg_result_cb *callback);

/* request_*.c: each checks and asks; the message lives during the call. */
typedef void request_begin(struct request *request, const void *message);
#define REQUEST(name, subject, request, reply) request_begin request_##name;
#include "requests.def"

#endif
