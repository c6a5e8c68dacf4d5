/* DELETE /v1/users/{id}/data: whoever keeps something of the user is told; each keeps the request until it is done. */
#include "backoffice.h"
#include "log/log.h"
#include "proto/subjects.h"
#include "routes.h"

static void on_accepted(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct exchange *exchange = context;
    Hansom__ChatEraseReply *answer =
        status == BUS_OK ? hansom__chat_erase_reply__unpack(NULL, reply->length, reply->data) : NULL;
    if (answer == NULL || *answer->error_code != '\0') {
        exchange_unavailable(exchange, "the archive of chats does not answer; nothing is lost by asking again");
    } else {
        LOG_INFO("erasure_requested", LOG_STR("user", exchange->id));
        strbuf_append_string(&exchange->answer, "{\"status\":\"accepted\"}");
        exchange_reply(exchange, 202);
    }
    hansom__chat_erase_reply__free_unpacked(answer, NULL);
}

void handle_delete_data(struct backoffice *app, struct exchange *exchange)
{
    Hansom__ChatEraseRequest request = HANSOM__CHAT_ERASE_REQUEST__INIT;
    request.user_id = exchange->id;
    struct strbuf bytes;
    strbuf_init(&bytes, 96);
    MESSAGE_PACK(&bytes, &request);
    bus_request(app->bus, SUBJECT_RPC_CHAT_ERASE, bytes.data, bytes.length, bus_timeout_ms(app), on_accepted, exchange);
    strbuf_finish(&bytes);
}
