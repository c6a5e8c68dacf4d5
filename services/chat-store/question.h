#ifndef HANSOM_QUESTION_H
#define HANSOM_QUESTION_H
/* One question that is being answered. */
#include "archive_floor.h"
#include "archive_rows.h"
#include "base/list.h"
#include "chat_store.h"
#include "wire/wire.h"

struct question {
    struct list_node node;
    struct chat_store *store;
    enum chat_question kind;
    char reply_subject[128];
    uint64_t started_us;
    Hansom__ArchivedUpTo archived; /* as it was before the archive was asked */
    unsigned pending;              /* queries under way */
    enum pg_status worst;
    ProtobufCMessage *answer; /* made by its unpack, freed with the question */
};

/* Answer with what was put together; or with an error code alone; both free the question. */
void question_answer(struct question *question);
void question_fail(struct question *question, enum error_code code);
/* A query of this question has ended; true: it was the last one, and all is well. False: not yet, or it has failed and
 * was answered. */
bool question_query_done(struct question *question, enum pg_status status);
/* Empty message of this type, by protobuf-c's allocator. */
#define EMPTY_MESSAGE(type) type##__unpack(NULL, 0, (const uint8_t *)"")

/* question_*.c: each unpacks, checks, asks. False: malformed. */
typedef bool question_begin(struct question *question, const uint8_t *data, size_t length);
question_begin question_find, question_open, question_history, question_list, question_erase;

#endif
