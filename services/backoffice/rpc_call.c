#include "rpc_call.h"

#include "backoffice.h"
#include "core/rpc_verdict.h"
#include "log/log.h"
#include "proto/subjects.h"

#define DETAIL_SIZE 256

static const struct rpc_row {
    const char *subject;
    const ProtobufCMessageDescriptor *answer;
    const char *asked, *refused;
} rows[RPC_COUNT] = {
#define RPC_CALL(name, subject, answer, asked, refused) [RPC_##name] = {subject, &answer##__descriptor, asked, refused},
#include "rpc_calls.def"
#undef RPC_CALL
};

struct rpc {
    const struct rpc_row *row;
    struct exchange *exchange;
    rpc_answer_cb *on_answer;
    void *context;
};

static void fail_unanswered(const struct rpc *rpc)
{
    char detail[DETAIL_SIZE];
    snprintf(detail, sizeof(detail), "%s does not answer; nothing is lost by asking again", rpc->row->asked);
    exchange_unavailable(rpc->exchange, detail);
}

static void fail(const struct rpc *rpc, enum error_code code, const char *detail)
{
    if (code == ERROR_unavailable) {
        fail_unanswered(rpc);
    } else if (code == ERROR_internal) {
        LOG_ERROR("rpc_failed", LOG_STR("subject", rpc->row->subject),
                  LOG_STR("request_id", rpc->exchange->request_id));
        exchange_fail(rpc->exchange, code, "the answer of another service cannot be used");
    } else {
        exchange_fail(rpc->exchange, code, *detail == '\0' ? rpc->row->refused : detail);
    }
}

static void on_reply(void *context, enum bus_status status, const struct bus_message *reply)
{
    const struct rpc *rpc = context;
    if (status != BUS_OK) {
        fail_unanswered(rpc);
        return;
    }
    ProtobufCMessage *answer = protobuf_c_message_unpack(rpc->row->answer, NULL, reply->length, reply->data);
    const char *detail;
    enum error_code code = rpc_verdict(answer, &detail);
    if (code == ERROR_NONE)
        rpc->on_answer(rpc->context, answer);
    else
        fail(rpc, code, detail);
    if (answer != NULL)
        protobuf_c_message_free_unpacked(answer, NULL);
}

void rpc_call(struct backoffice *app, struct exchange *exchange, enum rpc_question question,
              const ProtobufCMessage *request, rpc_answer_cb *on_answer, void *context)
{
    struct rpc *rpc = exchange_alloc(exchange, sizeof(*rpc));
    *rpc = (struct rpc){.row = &rows[question], .exchange = exchange, .on_answer = on_answer, .context = context};
    struct strbuf bytes;
    strbuf_init(&bytes, 256);
    message_pack(&bytes, request);
    bus_request(app->bus, rpc->row->subject, bytes.data, bytes.length, bus_timeout_ms(app), on_reply, rpc);
    strbuf_finish(&bytes);
}
