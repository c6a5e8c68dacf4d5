#include "questions.h"

#include "base/clock.h"
#include "log/log.h"
#include "proto/subjects.h"
#include "question.h"

#define QUEUE_GROUP "chat-store"

struct questions {
    struct chat_store *store;
    struct bus_subscription *subscriptions[QUESTION_COUNT];
    struct list_node open;
};

static const struct {
    const char *subject;
    question_begin *begin;
    const ProtobufCMessageDescriptor *answer;
} rows[QUESTION_COUNT] = {
    [QUESTION_FIND] = {SUBJECT_RPC_CHAT_FIND, question_find, &hansom__chat_find_reply__descriptor},
    [QUESTION_OPEN] = {SUBJECT_RPC_CHAT_OPEN, question_open, &hansom__chat_open_reply__descriptor},
    [QUESTION_HISTORY] = {SUBJECT_RPC_CHAT_HISTORY, question_history, &hansom__chat_history_reply__descriptor},
    [QUESTION_LIST] = {SUBJECT_RPC_CHAT_LIST, question_list, &hansom__chat_list_reply__descriptor},
    [QUESTION_ERASE] = {SUBJECT_RPC_CHAT_ERASE, question_erase, &hansom__chat_erase_reply__descriptor},
};

static void question_free(struct question *question)
{
    list_remove(&question->node);
    protobuf_c_message_free_unpacked(question->answer, NULL);
    mem_free(question);
}

static void note(const struct question *question, enum request_outcome outcome)
{
    struct metrics *metrics = question->store->metrics;
    metrics_add(metrics, METRIC_CHAT_REQUESTS, question->kind, outcome, 1);
    metrics_observe(metrics, METRIC_CHAT_REQUEST_SECONDS, question->kind, 0,
                    (double)(clock_monotonic_us() - question->started_us) / 1e6);
}

static void send_answer(struct question *question)
{
    struct strbuf bytes;
    strbuf_init(&bytes, 1024);
    message_pack(&bytes, question->answer);
    if (!bus_publish(question->store->bus, question->reply_subject, bytes.data, bytes.length))
        LOG_DEBUG("answer_not_sent");
    strbuf_finish(&bytes);
    question_free(question);
}

void question_answer(struct question *question)
{
    note(question, REQUEST_OK);
    send_answer(question);
}

/* error_code is the first field of every answer. */
static void set_error(ProtobufCMessage *answer, const char *code)
{
    char **field = (char **)(void *)((char *)answer + answer->descriptor->fields[0].offset);
    *field = strdup(code);
    ASSERT(*field != NULL);
}

void question_fail(struct question *question, enum error_code code)
{
    note(question, code == ERROR_bad_request ? REQUEST_MALFORMED : REQUEST_UNAVAILABLE);
    const ProtobufCMessageDescriptor *descriptor = question->answer->descriptor;
    protobuf_c_message_free_unpacked(question->answer, NULL);
    question->answer = protobuf_c_message_unpack(descriptor, NULL, 0, (const uint8_t *)"");
    set_error(question->answer, error_code_name(code));
    send_answer(question);
}

bool question_query_done(struct question *question, enum pg_status status)
{
    if (status != PG_OK)
        question->worst = status;
    if (--question->pending > 0)
        return false;
    if (question->worst == PG_OK)
        return true;
    question_fail(question, ERROR_unavailable);
    return false;
}

static void take(struct questions *questions, enum chat_question kind, const struct bus_message *message)
{
    if (message->reply == NULL)
        return;
    struct question *question = mem_alloc(sizeof(*question));
    question->store = questions->store;
    question->kind = kind;
    question->started_us = clock_monotonic_us();
    question->archived = archive_floor_get(questions->store->floor);
    question->answer = protobuf_c_message_unpack(rows[kind].answer, NULL, 0, (const uint8_t *)"");
    list_append(&questions->open, &question->node);
    bool is_answerable = str_copy(question->reply_subject, sizeof(question->reply_subject), message->reply);
    if (!is_answerable)
        question_free(question);
    else if (question->archived.epoch == 0 || !pg_is_connected(questions->store->query_pg))
        question_fail(question, ERROR_unavailable);
    else if (!rows[kind].begin(question, message->data, message->length))
        question_fail(question, ERROR_bad_request);
}

#define TAKE(name, kind)                                                                                               \
    static void name(void *context, const struct bus_message *message)                                                 \
    {                                                                                                                  \
        take(context, kind, message);                                                                                  \
    }
TAKE(on_find, QUESTION_FIND)
TAKE(on_open, QUESTION_OPEN)
TAKE(on_history, QUESTION_HISTORY)
TAKE(on_list, QUESTION_LIST)
TAKE(on_erase, QUESTION_ERASE)
#undef TAKE

struct questions *questions_create(struct chat_store *store)
{
    static bus_message_cb *const callbacks[QUESTION_COUNT] = {on_find, on_open, on_history, on_list, on_erase};
    struct questions *questions = mem_alloc(sizeof(*questions));
    questions->store = store;
    list_init(&questions->open);
    for (size_t i = 0; i < QUESTION_COUNT; i++)
        questions->subscriptions[i] = bus_subscribe(store->bus, rows[i].subject, QUEUE_GROUP, callbacks[i], questions);
    return questions;
}

void questions_stop(struct questions *questions)
{
    for (size_t i = 0; i < QUESTION_COUNT; i++)
        bus_unsubscribe(&questions->subscriptions[i]);
}

bool questions_is_idle(const struct questions *questions)
{
    return list_is_empty(&questions->open);
}

void questions_destroy(struct questions **questions_pointer)
{
    struct questions *questions = *questions_pointer;
    *questions_pointer = NULL;
    if (questions == NULL)
        return;
    questions_stop(questions);
    while (!list_is_empty(&questions->open))
        question_free(CONTAINER_OF(questions->open.next, struct question, node));
    mem_free(questions);
}
