#ifndef HANSOM_MESSAGE_OUTBOX_H
#define HANSOM_MESSAGE_OUTBOX_H
/* Brings what lies in table outbox_messages to the streams, in its order, until they have it. */
#include "core/announcements.h"
#include "pg/pg_array.h"

struct backoffice;

struct message_outbox *message_outbox_create(struct backoffice *app);
void message_outbox_destroy(struct message_outbox **outbox);
/* Something was just committed. */
void message_outbox_wake(struct message_outbox *outbox);

/* The announcements as parameters of a statement that ends in QUEUE_MESSAGES: subjects, ids, payloads. */
struct message_rows {
    struct pg_array subjects, ids, payloads;
};
void message_rows_init(struct message_rows *rows, const struct announcements *list);
void message_rows_finish(struct message_rows *rows);
/* A WITH part: inserts them if `condition` holds. first, second, third: the parameters' numbers, as texts; now: the
 * time's. */
#define QUEUE_MESSAGES(condition, first, second, third, now)                                                           \
    "queued AS (INSERT INTO outbox_messages (subject, message_id, payload, created_at_ms) SELECT m.*, $" now           \
    "::bigint FROM unnest($" first "::text[], $" second "::text[], $" third "::bytea[]) AS m WHERE " condition ")"

#endif
