#ifndef HANSOM_ARCHIVE_ROWS_H
#define HANSOM_ARCHIVE_ROWS_H
/*
 * Chat items as rows of chat.items, both ways. Pure.
 *
 * One statement archives a batch: it inserts what is new, counts it into chat.chats and answers with what was there
 * already. What was there already is either the same item again (delivered twice) or another one with the same message
 * id; a second statement tells them apart.
 */
#include "pg/pg.h"
#include "pg/pg_array.h"
#include "proto/bus.pb-c.h"

enum archive_column {
    ARCHIVE_BOOKING_ID,
    ARCHIVE_BOOKING_CREATED,
    ARCHIVE_SEQ,
    ARCHIVE_KIND,
    ARCHIVE_MESSAGE_ID,
    ARCHIVE_FROM_ID,
    ARCHIVE_FROM_ROLE,
    ARCHIVE_SENT_AT,
    ARCHIVE_CONTENT,
    ARCHIVE_TARGET_ID,
    ARCHIVE_BODY,
    ARCHIVE_MASKED,
    ARCHIVE_CLIENT_ID,
    ARCHIVE_DRIVER_ID,
    ARCHIVE_COLUMN_COUNT,
};
/* Its parameters are the columns and the epoch, which all items share. Answers one row (NULL, chats that got their
 * first message), rows (seq, 0) of what was there already, and rows (seq, 1) for the last item of each chat in which
 * something newer had been archived before. */
extern const char archive_insert_sql[];
/* The same at two thirds of the price, for a batch of which nothing is there yet: otherwise it fails with
 * unique_violation (23505) and changes nothing. */
extern const char archive_insert_new_sql[];
/* Parameters: booking_id[], booking_created[], seq[], epoch. Answers (seq) of those that are not in the archive: their
 * message id belongs to another item. */
extern const char archive_duplicates_sql[];
/* Parameters: booking_id[], booking_created[]. Empties what was deleted in those chats, with its edits. */
extern const char archive_blank_sql[];

struct archive_rows {
    struct pg_array columns[ARCHIVE_COLUMN_COUNT];
};
void archive_rows_begin(struct archive_rows *rows);
void archive_rows_add(struct archive_rows *rows, const Hansom__ChatItem *item, uint64_t sequence);
/* Fills ARCHIVE_COLUMN_COUNT parameters; they live as long as the rows. */
void archive_rows_end(struct archive_rows *rows, const char **parameters);
void archive_rows_finish(struct archive_rows *rows);

/* What a question selects: chat.items as `i`, its newest edit as `e`, its deletion as `d`. `created`: when the booking
 * was made; a parameter, where it is one, so that the planner sees the one partition. */
#define STORED_COLUMNS                                                                                                 \
    "i.booking_id, i.booking_created_ms, i.epoch, i.seq, i.kind, i.message_id, i.from_id, i.from_role, i.sent_at_ms, " \
    "CASE WHEN d.seq IS NOT NULL THEN '' ELSE coalesce(e.content, i.content) END, i.target_id, i.body, i.masked, "     \
    "e.sent_at_ms, d.sent_at_ms, d.seq"
#define STORED_COLUMN_COUNT 16
#define STORED_JOINS(created)                                                                                          \
    " LEFT JOIN LATERAL (SELECT c.content, c.sent_at_ms FROM chat.items c WHERE c.booking_id = i.booking_id "          \
    "AND c.booking_created_ms = " created " AND c.target_id = i.message_id AND c.kind = 2 "                            \
    "ORDER BY c.epoch DESC, c.seq DESC LIMIT 1) e ON i.kind = 1 "                                                      \
    "LEFT JOIN LATERAL (SELECT c.seq, c.sent_at_ms FROM chat.items c WHERE c.booking_id = i.booking_id "               \
    "AND c.booking_created_ms = " created " AND c.target_id = i.message_id AND c.kind = 3 "                            \
    "ORDER BY c.epoch, c.seq LIMIT 1) d ON i.kind = 1 "
/* Free with hansom__stored_chat_item__free_unpacked(item, NULL). */
Hansom__StoredChatItem *stored_item_from_row(const struct pg_result *result, size_t row, size_t first_column);

#endif
