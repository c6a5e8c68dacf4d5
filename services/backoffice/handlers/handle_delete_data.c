/*
 * DELETE /v1/users/{id}/data: whoever keeps something of the user is told, one after the other; each keeps the request
 * until it is done. 202 when all have it.
 */
#include "backoffice.h"
#include "log/log.h"
#include "routes.h"
#include "rpc_call.h"

struct delete_data {
    struct backoffice *app;
    struct exchange *exchange;
};

static void on_all_accepted(void *context, const ProtobufCMessage *answer)
{
    struct exchange *exchange = ((struct delete_data *)context)->exchange;
    (void)answer;
    LOG_INFO("erasure_requested", LOG_STR("user", exchange->id));
    strbuf_append_string(&exchange->answer, "{\"status\":\"accepted\"}");
    exchange_reply(exchange, 202);
}

static void on_chat_accepted(void *context, const ProtobufCMessage *answer)
{
    struct delete_data *op = context;
    (void)answer;
    Hansom__NotifyEraseRequest request = HANSOM__NOTIFY_ERASE_REQUEST__INIT;
    request.user_id = op->exchange->id;
    rpc_call(op->app, op->exchange, RPC_notify_erase, &request.base, on_all_accepted, op);
}

void handle_delete_data(struct backoffice *app, struct exchange *exchange)
{
    struct delete_data *op = exchange_alloc(exchange, sizeof(*op));
    *op = (struct delete_data){.app = app, .exchange = exchange};
    Hansom__ChatEraseRequest request = HANSOM__CHAT_ERASE_REQUEST__INIT;
    request.user_id = exchange->id;
    rpc_call(app, exchange, RPC_chat_erase, &request.base, on_chat_accepted, op);
}
