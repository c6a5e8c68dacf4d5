/* PUT /v1/users/{id}/contacts: the whole of it is replaced; the notifier keeps it. */
#include "backoffice.h"
#include "core/contact_rules.h"
#include "routes.h"
#include "rpc_call.h"

struct put_contacts {
    struct exchange *exchange;
    struct contacts contacts; /* strings belong to exchange->json */
};

static void on_kept(void *context, const ProtobufCMessage *answer)
{
    struct put_contacts *put = context;
    (void)answer;
    struct json_writer json;
    json_writer_init(&json, &put->exchange->answer);
    contacts_write(&json, &put->contacts.put);
    exchange_reply(put->exchange, 200);
}

void handle_put_contacts(struct backoffice *app, struct exchange *exchange)
{
    struct put_contacts *put = exchange_alloc(exchange, sizeof(*put));
    put->exchange = exchange;
    char error[160];
    if (!contacts_read(exchange->json, &put->contacts, error, sizeof(error))) {
        exchange_fail(exchange, ERROR_bad_request, error);
        return;
    }
    put->contacts.put.user_id = exchange->id;
    rpc_call(app, exchange, RPC_contacts_put, &put->contacts.put.base, on_kept, put);
}
