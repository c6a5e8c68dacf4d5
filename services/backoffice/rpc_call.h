#ifndef HANSOM_RPC_CALL_H
#define HANSOM_RPC_CALL_H
/* Asking another service for a handler: one way to ask, one way to say what went wrong. */
#include "wire/wire.h"

struct backoffice;
struct exchange;

enum rpc_question {
#define RPC_CALL(name, ...) RPC_##name,
#include "rpc_calls.def"
#undef RPC_CALL
    RPC_COUNT
};

/* answer: the message of the question's row, without an error; valid during the callback. */
typedef void rpc_answer_cb(void *context, const ProtobufCMessage *answer);

/*
 * Asks. on_answer comes for a good answer, never before this returns. For any other, or for none within bus_timeout_ms,
 * the exchange is answered here (503 with Retry-After when nobody answers) and on_answer does not come.
 */
void rpc_call(struct backoffice *app, struct exchange *exchange, enum rpc_question question,
              const ProtobufCMessage *request, rpc_answer_cb *on_answer, void *context);

#endif
