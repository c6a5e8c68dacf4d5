/* GET /v1/notifications?state=dead: what was given up. */
#include "backoffice.h"
#include "core/notification_rules.h"
#include "routes.h"
#include "rpc_call.h"

static void on_dead(void *context, const ProtobufCMessage *answer)
{
    struct exchange *exchange = context;
    struct json_writer json;
    json_writer_init(&json, &exchange->answer);
    dead_write(&json, (const Hansom__DeadReply *)answer);
    exchange_reply(exchange, 200);
}

void handle_get_notifications(struct backoffice *app, struct exchange *exchange)
{
    Hansom__DeadRequest request;
    char error[160];
    if (dead_request_read(exchange->query, &request, error, sizeof(error)))
        rpc_call(app, exchange, RPC_dead, &request.base, on_dead, exchange);
    else
        exchange_fail(exchange, ERROR_bad_request, error);
}
