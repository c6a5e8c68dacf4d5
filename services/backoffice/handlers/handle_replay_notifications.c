/* POST /v1/notifications/replay: the dead letters of a channel are due again. */
#include "backoffice.h"
#include "core/notification_rules.h"
#include "handlers/replay.h"
#include "log/log.h"
#include "routes.h"
#include "rpc_call.h"

static void on_replayed(void *context, const ProtobufCMessage *answer)
{
    struct exchange *exchange = context;
    unsigned replayed = ((const Hansom__ReplayReply *)answer)->replayed;
    LOG_INFO("notifications_replayed", LOG_INT("deliveries", replayed), LOG_STR("request_id", exchange->request_id));
    strbuf_appendf(&exchange->answer, "{\"replayed\":%u}", replayed);
    exchange_reply(exchange, 200);
}

void replay_ask(struct backoffice *app, struct exchange *exchange, const Hansom__ReplayRequest *request)
{
    rpc_call(app, exchange, RPC_replay, &request->base, on_replayed, exchange);
}

void handle_replay_notifications(struct backoffice *app, struct exchange *exchange)
{
    Hansom__ReplayRequest request;
    char error[160];
    if (replay_request_read(exchange->json, &request, error, sizeof(error)))
        replay_ask(app, exchange, &request);
    else
        exchange_fail(exchange, ERROR_bad_request, error);
}
