#include "providers/sender.h"

#include "base/list.h"
#include "core/outcome.h"
#include "notifier_settings.h"

#define SMTP_LOGIN_FIRST 530 /* RFC 4954: 530, 534, 535 and 538 are about authentication */
#define SMTP_LOGIN_LAST 538

struct sending {
    struct list_node node;
    struct sender *sender;
    struct attempt *attempt;
    struct transfer *transfer;
    sender_judge *judge;
    void *state;
    uint64_t tag;
    bool is_foreign;
    struct outcome outcome; /* of those that end later */
};

struct sender {
    struct transfer_client *transfers;
    uint32_t timeout_ms;
    struct list_node under_way, later, idle;
    uv_idle_t turn; /* ends what ends later */
    bool is_closed;
};

static struct sending *sending_take(struct sender *sender, struct attempt *attempt)
{
    struct sending *sending;
    if (list_is_empty(&sender->idle))
        sending = mem_alloc(sizeof(*sending));
    else {
        sending = CONTAINER_OF(sender->idle.next, struct sending, node);
        list_remove(&sending->node);
    }
    *sending = (struct sending){.sender = sender, .attempt = attempt};
    return sending;
}

static void put_back(struct sending *sending)
{
    list_remove(&sending->node);
    list_append(&sending->sender->idle, &sending->node);
}

/* attempt_done may destroy the provider: the sender's own memory stays until the loop has turned. */
static void end(struct sending *sending, const struct outcome *outcome)
{
    struct attempt *attempt = sending->attempt;
    struct outcome copy = *outcome;
    put_back(sending);
    attempt_done(attempt, &copy);
}

/* Those that lay there when it began: what attempt_done brings in waits for the loop to turn. */
static void on_later(uv_idle_t *turn)
{
    struct sender *sender = turn->data;
    size_t count = 0;
    LIST_EACH(&sender->later, node)
    count++;
    for (; count > 0 && !sender->is_closed; count--) {
        struct sending *sending = CONTAINER_OF(sender->later.next, struct sending, node);
        end(sending, &sending->outcome);
    }
    if (!sender->is_closed && list_is_empty(&sender->later))
        uv_idle_stop(turn);
}

struct sender *sender_create(const struct provider_env *env)
{
    struct sender *sender = mem_alloc(sizeof(*sender));
    sender->transfers = env->transfers;
    sender->timeout_ms = (uint32_t)env->settings->transfer_timeout_ms;
    list_init(&sender->under_way);
    list_init(&sender->later);
    list_init(&sender->idle);
    ASSERT(uv_idle_init(env->loop, &sender->turn) == 0);
    sender->turn.data = sender;
    return sender;
}

static void free_all(struct list_node *list)
{
    while (!list_is_empty(list)) {
        struct sending *sending = CONTAINER_OF(list->next, struct sending, node);
        list_remove(&sending->node);
        transfer_cancel(&sending->transfer);
        mem_free(sending);
    }
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void sender_destroy(struct sender **sender_pointer)
{
    struct sender *sender = *sender_pointer;
    *sender_pointer = NULL;
    if (sender == NULL)
        return;
    free_all(&sender->under_way);
    free_all(&sender->later);
    free_all(&sender->idle);
    sender->is_closed = true;
    uv_close((uv_handle_t *)&sender->turn, on_closed);
}

void sender_judge_failure(struct outcome *outcome, const struct transfer_reply *reply, bool is_foreign)
{
    switch (reply->failure) {
    case TRANSFER_REFUSED:
        if (is_foreign)
            outcome_reject(outcome, 0, FAILURE_refused_address);
        else
            outcome_retry(outcome, 0, FAILURE_refused_address, 0);
        break;
    case TRANSFER_CONNECT: {
        bool is_login = reply->status >= SMTP_LOGIN_FIRST && reply->status <= SMTP_LOGIN_LAST;
        outcome_retry(outcome, reply->status, is_login ? FAILURE_unauthorized : FAILURE_connect, 0);
        break;
    }
    case TRANSFER_LATE:
        outcome_reject(outcome, 0, FAILURE_expired);
        break;
    case TRANSFER_TIMEOUT:
        outcome_retry(outcome, reply->status, FAILURE_timeout, 0);
        outcome->is_uncertain = true;
        break;
    case TRANSFER_CUT:
    case TRANSFER_OK:
        outcome_retry(outcome, reply->status, FAILURE_cut, 0);
        outcome->is_uncertain = true;
        break;
    }
}

static void on_reply(void *context, const struct transfer *transfer, const struct transfer_reply *reply)
{
    struct sending *sending = context;
    struct outcome outcome = {0};
    sending->transfer = NULL;
    if (reply->failure == TRANSFER_OK)
        sending->judge(sending->state, sending->tag, transfer, reply, &outcome);
    else
        sender_judge_failure(&outcome, reply, sending->is_foreign);
    end(sending, &outcome);
}

void sender_send(struct sender *sender, struct transfer_request *request, struct attempt *attempt, sender_judge *judge,
                 void *state, uint64_t tag)
{
    struct sending *sending = sending_take(sender, attempt);
    sending->judge = judge;
    sending->state = state;
    sending->tag = tag;
    sending->is_foreign = request->is_foreign;
    request->timeout_ms = sender->timeout_ms;
    list_append(&sender->under_way, &sending->node);
    sending->transfer = transfer_start(sender->transfers, request, on_reply, sending);
}

void sender_end_later(struct sender *sender, struct attempt *attempt, const struct outcome *outcome)
{
    struct sending *sending = sending_take(sender, attempt);
    sending->outcome = *outcome;
    list_append(&sender->later, &sending->node);
    uv_idle_start(&sender->turn, on_later);
}
