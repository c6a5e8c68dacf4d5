#include "archive_rows.h"

#include "base/strbuf.h"
#include "wire/wire.h"

#define TYPED_COLUMNS                                                                                                  \
    "$1::text[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::smallint[], $8::bigint[], "   \
    "$9::text[], $10::text[], $11::bytea[], $12::integer[], $13::text[], $14::text[]"
#define ITEM_COLUMNS                                                                                                   \
    "booking_id, booking_created_ms, seq, kind, message_id, from_id, from_role, sent_at_ms, content, target_id, "      \
    "body, masked"
#define EPOCH "$15::bigint"
/* What a batch adds to a chat; who takes part is as its last item says. */
#define CHAT_NUMBERS                                                                                                   \
    "last_epoch, last_seq, last_message_epoch, last_message_seq, first_message_ms, last_message_ms, last_item_ms, "    \
    "messages, has_client, has_driver, has_support"
/* Of two positions in one chat the later one. */
#define LATER(epoch, seq)                                                                                              \
    seq " = CASE WHEN excluded." epoch " > c." epoch " THEN excluded." seq " WHEN excluded." epoch " = c." epoch       \
        " THEN greatest(c." seq ", excluded." seq ") ELSE c." seq " END, " epoch " = greatest(c." epoch                \
        ", excluded." epoch ")"
#define LATER_ITEM LATER("last_epoch", "last_seq")
#define LATER_MESSAGE LATER("last_message_epoch", "last_message_seq")
#define IS_NEWER "(excluded.last_epoch, excluded.last_seq) > (c.last_epoch, c.last_seq)"

/* Both inserts go through the rows in the order of booking and sequence, so two replicas never wait for each other in a
 * circle. A chat's row is locked until the commit, so of two batches the later one sees in it what the earlier one did.
 * What was delivered twice within the batch counts once. CTEs are joined by one column only: of more the planner
 * expects a single row, and takes loops within loops. */
#define INSERT_SQL(on_conflict)                                                                                        \
    "WITH incoming AS (SELECT DISTINCT ON (seq) * FROM unnest(" TYPED_COLUMNS ") AS t (" ITEM_COLUMNS                  \
    ", client_id, driver_id)), "                                                                                       \
    "inserted AS (INSERT INTO chat.items (" ITEM_COLUMNS ", epoch) SELECT " ITEM_COLUMNS ", " EPOCH " FROM incoming "  \
    "ORDER BY booking_id, seq" on_conflict " RETURNING seq), "                                                         \
    "summed AS (SELECT " EPOCH " AS last_epoch, max(seq) AS last_seq, "                                                \
    "CASE WHEN bool_or(kind = 1) THEN " EPOCH " ELSE 0 END AS last_message_epoch, "                                    \
    "coalesce(max(seq) FILTER (WHERE kind = 1), 0) AS last_message_seq, "                                              \
    "min(sent_at_ms) FILTER (WHERE kind = 1) AS first_message_ms, "                                                    \
    "max(sent_at_ms) FILTER (WHERE kind = 1) AS last_message_ms, max(sent_at_ms) AS last_item_ms, "                    \
    "count(*) FILTER (WHERE kind = 1) AS messages, bool_or(kind = 1 AND from_role = 1) AS has_client, "                \
    "bool_or(kind = 1 AND from_role = 2) AS has_driver, bool_or(kind = 1 AND from_role > 2) AS has_support "           \
    "FROM incoming JOIN inserted USING (seq) GROUP BY booking_id), "                                                   \
    "grown AS (SELECT booking_id, booking_created_ms, client_id, driver_id, " CHAT_NUMBERS                             \
    " FROM summed JOIN incoming ON seq = last_seq), "                                                                  \
    "counted AS (INSERT INTO chat.chats AS c (booking_id, booking_created_ms, client_id, driver_id, " CHAT_NUMBERS     \
    ") SELECT * FROM grown ORDER BY booking_id "                                                                       \
    "ON CONFLICT (booking_id) DO UPDATE SET "                                                                          \
    "client_id = CASE WHEN " IS_NEWER " THEN excluded.client_id ELSE c.client_id END, "                                \
    "driver_id = CASE WHEN " IS_NEWER " THEN excluded.driver_id ELSE c.driver_id END, " LATER_ITEM ", " LATER_MESSAGE  \
    ", first_message_ms = least(c.first_message_ms, excluded.first_message_ms), "                                      \
    "last_message_ms = greatest(c.last_message_ms, excluded.last_message_ms), "                                        \
    "last_item_ms = greatest(c.last_item_ms, excluded.last_item_ms), messages = c.messages + excluded.messages, "      \
    "has_client = c.has_client OR excluded.has_client, has_driver = c.has_driver OR excluded.has_driver, "             \
    "has_support = c.has_support OR excluded.has_support "                                                             \
    "RETURNING booking_id, messages, last_epoch, last_seq) "                                                           \
    "SELECT NULL::bigint, count(*) FROM counted c JOIN grown g USING (booking_id) "                                    \
    "WHERE g.messages > 0 AND c.messages = g.messages "                                                                \
    "UNION ALL SELECT g.last_seq, 1 FROM counted c JOIN grown g USING (booking_id) "                                   \
    "WHERE (c.last_epoch, c.last_seq) > (" EPOCH ", g.last_seq) "                                                      \
    "UNION ALL SELECT seq, 0 FROM incoming WHERE seq NOT IN (SELECT seq FROM inserted)"

const char archive_insert_new_sql[] = INSERT_SQL("");
const char archive_insert_sql[] = INSERT_SQL(" ON CONFLICT DO NOTHING");

const char archive_duplicates_sql[] =
    "SELECT t.seq FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS t (booking_id, booking_created_ms, seq) "
    "WHERE NOT EXISTS (SELECT FROM chat.items i WHERE i.booking_id = t.booking_id AND i.epoch = $4::bigint "
    "AND i.seq = t.seq AND i.booking_created_ms = t.booking_created_ms)";

const char archive_blank_sql[] =
    "UPDATE chat.items i SET content = '', body = NULL "
    "FROM (SELECT DISTINCT d.booking_id, d.booking_created_ms, d.target_id FROM unnest($1::text[], $2::bigint[]) "
    "AS t (booking_id, booking_created_ms) JOIN chat.items d ON d.booking_id = t.booking_id "
    "AND d.booking_created_ms = t.booking_created_ms AND d.kind = 3) d "
    "WHERE i.booking_id = d.booking_id AND i.booking_created_ms = d.booking_created_ms "
    "AND (i.content <> '' OR i.body IS NOT NULL) "
    "AND ((i.kind = 1 AND i.message_id = d.target_id) OR (i.kind = 2 AND i.target_id = d.target_id))";

/* --- in ----------------------------------------------------------------------------------------------------------- */

void archive_rows_begin(struct archive_rows *rows)
{
    for (size_t i = 0; i < ARCHIVE_COLUMN_COUNT; i++)
        pg_array_begin(&rows->columns[i]);
}

/* What has no column of its own. */
static void add_body(struct pg_array *column, const Hansom__ChatItem *item)
{
    if (item->n_attachments == 0 && item->event == HANSOM__CHAT_EVENT__CHAT_EVENT_UNSPECIFIED) {
        pg_array_text(column, NULL);
        return;
    }
    Hansom__ChatItem body = HANSOM__CHAT_ITEM__INIT;
    body.attachments = item->attachments;
    body.n_attachments = item->n_attachments;
    body.event = item->event;
    body.status = item->status;
    struct strbuf bytes;
    strbuf_init(&bytes, 256);
    MESSAGE_PACK(&bytes, &body);
    pg_array_bytes(column, bytes.data, bytes.length);
    strbuf_finish(&bytes);
}

void archive_rows_add(struct archive_rows *rows, const Hansom__ChatItem *item, uint64_t sequence)
{
    struct pg_array *columns = rows->columns;
    pg_array_text(&columns[ARCHIVE_BOOKING_ID], item->booking_id);
    pg_array_int(&columns[ARCHIVE_BOOKING_CREATED], item->booking_created_at_ms);
    pg_array_int(&columns[ARCHIVE_SEQ], (int64_t)sequence);
    pg_array_int(&columns[ARCHIVE_KIND], item->kind);
    pg_array_text(&columns[ARCHIVE_MESSAGE_ID], item->message_id);
    pg_array_text(&columns[ARCHIVE_FROM_ID], item->from_id);
    pg_array_int(&columns[ARCHIVE_FROM_ROLE], item->from_role);
    pg_array_int(&columns[ARCHIVE_SENT_AT], item->sent_at_ms);
    pg_array_text(&columns[ARCHIVE_CONTENT], item->content);
    pg_array_text(&columns[ARCHIVE_TARGET_ID], item->target_id);
    add_body(&columns[ARCHIVE_BODY], item);
    pg_array_int(&columns[ARCHIVE_MASKED], item->masked);
    pg_array_text(&columns[ARCHIVE_CLIENT_ID], item->client_id);
    pg_array_text(&columns[ARCHIVE_DRIVER_ID], item->driver_id);
}

void archive_rows_end(struct archive_rows *rows, const char **parameters)
{
    for (size_t i = 0; i < ARCHIVE_COLUMN_COUNT; i++)
        parameters[i] = pg_array_end(&rows->columns[i]);
}

void archive_rows_finish(struct archive_rows *rows)
{
    for (size_t i = 0; i < ARCHIVE_COLUMN_COUNT; i++)
        pg_array_finish(&rows->columns[i]);
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

/* For protobuf-c's allocator. */
static char *copy_text(const struct pg_result *result, size_t row, size_t column)
{
    char *copy = strdup(pg_value(result, row, column));
    ASSERT(copy != NULL);
    return copy;
}

static Hansom__ChatItem *item_of_body(const struct pg_result *result, size_t row, size_t column)
{
    size_t length;
    void *bytes = pg_value_bytes(result, row, column, &length);
    Hansom__ChatItem *item = hansom__chat_item__unpack(NULL, length, bytes == NULL ? (const uint8_t *)"" : bytes);
    mem_free(bytes);
    return item != NULL ? item : hansom__chat_item__unpack(NULL, 0, (const uint8_t *)"");
}

Hansom__StoredChatItem *stored_item_from_row(const struct pg_result *result, size_t row, size_t first_column)
{
    size_t at = first_column;
    Hansom__StoredChatItem *stored = hansom__stored_chat_item__unpack(NULL, 0, (const uint8_t *)"");
    Hansom__ChatItem *item = item_of_body(result, row, at + 11);
    ASSERT(stored != NULL && item != NULL);
    item->booking_id = copy_text(result, row, at);
    item->booking_created_at_ms = pg_value_int(result, row, at + 1);
    stored->epoch = (uint64_t)pg_value_int(result, row, at + 2);
    stored->seq = (uint64_t)pg_value_int(result, row, at + 3);
    item->kind = (Hansom__ChatKind)pg_value_int(result, row, at + 4);
    item->message_id = copy_text(result, row, at + 5);
    item->from_id = copy_text(result, row, at + 6);
    item->from_role = (Hansom__Role)pg_value_int(result, row, at + 7);
    item->sent_at_ms = pg_value_int(result, row, at + 8);
    item->content = copy_text(result, row, at + 9);
    item->target_id = copy_text(result, row, at + 10);
    item->masked = (uint32_t)pg_value_int(result, row, at + 12);
    stored->edited_at_ms = pg_value_int(result, row, at + 13);
    stored->deleted_at_ms = pg_value_int(result, row, at + 14);
    stored->deleted_seq = (uint64_t)pg_value_int(result, row, at + 15);
    stored->item = item;
    return stored;
}
