#ifndef HANSOM_CHAT_STORE_METRICS_H
#define HANSOM_CHAT_STORE_METRICS_H
#include "metrics/metrics.h"

#define CHAT_STORE_METRICS(ROW)                                                                                        \
    ROW(ARCHIVED, "hansom_chat_archived_total", COUNTER, "Items written to the archive, by kind.", "kind", kind_names, \
        NULL, NULL)                                                                                                    \
    ROW(CHATS, "hansom_chat_chats_total", COUNTER,                                                                     \
        "Chats that got their first message; archived messages by this: messages per booking.", NULL, NULL, NULL,      \
        NULL)                                                                                                          \
    ROW(BATCHES, "hansom_chat_archive_batches_total", COUNTER, "Transactions of the archive by outcome.", "outcome",   \
        batch_outcomes, NULL, NULL)                                                                                    \
    ROW(ARCHIVE_SECONDS, "hansom_chat_archive_seconds", HISTOGRAM, "From a message's publish to its commit.", NULL,    \
        NULL, NULL, NULL)                                                                                              \
    ROW(PENDING, "hansom_chat_archive_pending", GAUGE, "Items of the stream that are not archived yet.", NULL, NULL,   \
        NULL, NULL)                                                                                                    \
    ROW(LAG, "hansom_chat_archive_lag_seconds", GAUGE, "Age of the oldest item here that is not archived yet.", NULL,  \
        NULL, NULL, NULL)                                                                                              \
    ROW(DUPLICATES, "hansom_chat_duplicates_total", COUNTER,                                                           \
        "Items taken out of the stream because their message id had been stored before.", NULL, NULL, NULL, NULL)      \
    ROW(POISONED, "hansom_chat_poisoned_total", COUNTER, "Items that the database refused, put back for later.", NULL, \
        NULL, NULL, NULL)                                                                                              \
    ROW(MARKS, "hansom_chat_marks_total", COUNTER, "Receipts written to the archive.", NULL, NULL, NULL, NULL)         \
    ROW(REQUESTS, "hansom_chat_requests_total", COUNTER, "Questions answered, by which and outcome.", "question",      \
        question_names, "outcome", request_outcomes)                                                                   \
    ROW(REQUEST_SECONDS, "hansom_chat_request_seconds", HISTOGRAM, "Time to answer a question.", "question",           \
        question_names, NULL, NULL)                                                                                    \
    ROW(UNANSWERED, "hansom_chat_unanswered", GAUGE,                                                                   \
        "Chats of bookings of the last day in which only one side has written.", NULL, NULL, NULL, NULL)               \
    ROW(EXPIRED, "hansom_chat_expired_total", COUNTER, "Chats deleted after their retention.", NULL, NULL, NULL, NULL) \
    ROW(ERASED, "hansom_chat_erased_total", COUNTER, "Items emptied because their author is to be forgotten.", NULL,   \
        NULL, NULL, NULL)                                                                                              \
    ROW(PG_UP, "hansom_chat_postgres_connected", GAUGE, "1 while connected to PostgreSQL.", NULL, NULL, NULL, NULL)    \
    ROW(BUS_UP, "hansom_chat_bus_connected", GAUGE, "1 while connected to NATS.", NULL, NULL, NULL, NULL)

enum chat_store_metric {
#define ROW(id, ...) METRIC_CHAT_##id,
    CHAT_STORE_METRICS(ROW)
#undef ROW
        CHAT_STORE_METRIC_COUNT
};
extern const struct metric_def chat_store_metric_defs[CHAT_STORE_METRIC_COUNT];

enum batch_outcome { BATCH_COMMITTED, BATCH_UNCERTAIN, BATCH_FAILED, BATCH_UNAVAILABLE };
enum chat_question { QUESTION_FIND, QUESTION_OPEN, QUESTION_HISTORY, QUESTION_LIST, QUESTION_ERASE, QUESTION_COUNT };
enum request_outcome { REQUEST_OK, REQUEST_MALFORMED, REQUEST_UNAVAILABLE };

#endif
