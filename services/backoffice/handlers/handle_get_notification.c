/* GET /v1/notifications/{event_id}: the ledger of an event. */
#include "backoffice.h"
#include "core/notification_rules.h"
#include "routes.h"
#include "rpc_call.h"

static void on_ledger(void *context, const ProtobufCMessage *answer)
{
    struct exchange *exchange = context;
    const Hansom__LedgerReply *reply = (const Hansom__LedgerReply *)answer;
    if (reply->n_events == 0) {
        exchange_fail(exchange, ERROR_not_found, "there is no such notification");
        return;
    }
    struct json_writer json;
    json_writer_init(&json, &exchange->answer);
    ledger_write(&json, reply);
    exchange_reply(exchange, 200);
}

void handle_get_notification(struct backoffice *app, struct exchange *exchange)
{
    Hansom__LedgerRequest request;
    char error[160];
    if (!ledger_request_read(exchange->query, &request, error, sizeof(error))) {
        exchange_fail(exchange, ERROR_bad_request, error);
        return;
    }
    request.event_id = exchange->id;
    rpc_call(app, exchange, RPC_ledger, &request.base, on_ledger, exchange);
}
