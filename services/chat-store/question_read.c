/* Questions that read: find, open, history, list. */
#include "base/clock.h"
#include "question.h"

#define PAGE_MAX 200
#define CHATS_MAX 100
#define UNREAD_MAX 1000 /* more is not counted */
#define TEXT(value) #value
#define NUMBER(value) TEXT(value)

/* sql: a literal. */
static void ask(struct question *question, const char *sql, size_t count, const char *const *parameters,
                pg_result_cb *callback)
{
    question->pending++;
    pg_query_prepared(question->store->query_pg, sql, count, parameters, query_timeout_ms(question->store), callback,
                      question);
}

static Hansom__ArchivedUpTo *copy_archived(const struct question *question)
{
    Hansom__ArchivedUpTo *copy = EMPTY_MESSAGE(hansom__archived_up_to);
    ASSERT(copy != NULL);
    copy->epoch = question->archived.epoch;
    copy->seq = question->archived.seq;
    copy->age_ms = question->archived.age_ms;
    return copy;
}

/* An array that protobuf-c will free. */
static void *make_array(size_t count, size_t size)
{
    void *array = calloc(count, size);
    ASSERT(array != NULL);
    return array;
}

static Hansom__StoredChatItem **items_from_rows(const struct pg_result *result, size_t count, bool is_reversed)
{
    if (count == 0)
        return NULL;
    Hansom__StoredChatItem **items = make_array(count, sizeof(*items));
    for (size_t i = 0; i < count; i++)
        items[is_reversed ? count - 1 - i : i] = stored_item_from_row(result, i, 0);
    return items;
}

/* --- find --------------------------------------------------------------------------------------------------------- */

static void on_found(void *context, enum pg_status status, const struct pg_result *result)
{
    struct question *question = context;
    Hansom__ChatFindReply *answer = (Hansom__ChatFindReply *)question->answer;
    if (status == PG_OK && pg_row_count(result) > 0)
        answer->found = stored_item_from_row(result, 0, 0);
    if (!question_query_done(question, status))
        return;
    answer->archived = copy_archived(question);
    question_answer(question);
}

bool question_find(struct question *question, const uint8_t *data, size_t length)
{
    Hansom__ChatFindRequest *request = hansom__chat_find_request__unpack(NULL, length, data);
    bool is_good = request != NULL && is_id(request->booking_id);
    if (is_good) {
        char created[NUMBER_SIZE];
        const char *const parameters[] = {request->booking_id, number_text(created, request->booking_created_at_ms),
                                          request->message_id};
        ask(question,
            "SELECT " STORED_COLUMNS " FROM chat.items i " STORED_JOINS(
                "$2::bigint") "WHERE i.booking_id = $1 AND i.booking_created_ms = $2::bigint AND i.message_id = $3",
            ARRAY_LEN(parameters), parameters, on_found);
    }
    hansom__chat_find_request__free_unpacked(request, NULL);
    return is_good;
}

/* --- open --------------------------------------------------------------------------------------------------------- */

static void answer_open(struct question *question)
{
    ((Hansom__ChatOpenReply *)question->answer)->archived = copy_archived(question);
    question_answer(question);
}

static void on_tail(void *context, enum pg_status status, const struct pg_result *result)
{
    struct question *question = context;
    Hansom__ChatOpenReply *answer = (Hansom__ChatOpenReply *)question->answer;
    if (status == PG_OK) {
        answer->items = items_from_rows(result, pg_row_count(result), true);
        answer->n_items = pg_row_count(result);
    }
    if (question_query_done(question, status))
        answer_open(question);
}

static void on_position(void *context, enum pg_status status, const struct pg_result *result)
{
    struct question *question = context;
    Hansom__ChatOpenReply *answer = (Hansom__ChatOpenReply *)question->answer;
    if (status == PG_OK && pg_row_count(result) > 0) {
        answer->last_epoch = (uint64_t)pg_value_int(result, 0, 0);
        answer->last_seq = (uint64_t)pg_value_int(result, 0, 1);
        answer->unread = (uint32_t)pg_value_int(result, 0, 2);
    }
    if (question_query_done(question, status))
        answer_open(question);
}

static Hansom__ChatMark *mark_from_row(const struct pg_result *result, size_t row)
{
    Hansom__ChatMark *mark = EMPTY_MESSAGE(hansom__chat_mark);
    ASSERT(mark != NULL);
    mark->user_id = strdup(pg_value(result, row, 0));
    mark->epoch = (uint64_t)pg_value_int(result, row, 1);
    mark->delivered_seq = (uint64_t)pg_value_int(result, row, 2);
    mark->read_seq = (uint64_t)pg_value_int(result, row, 3);
    return mark;
}

static void on_marks(void *context, enum pg_status status, const struct pg_result *result)
{
    struct question *question = context;
    Hansom__ChatOpenReply *answer = (Hansom__ChatOpenReply *)question->answer;
    if (status == PG_OK && pg_row_count(result) > 0) {
        answer->marks = make_array(pg_row_count(result), sizeof(*answer->marks));
        for (; answer->n_marks < pg_row_count(result); answer->n_marks++)
            answer->marks[answer->n_marks] = mark_from_row(result, answer->n_marks);
    }
    if (question_query_done(question, status))
        answer_open(question);
}

#define IN_CHAT "i.booking_id = $1 AND i.booking_created_ms = $2::bigint"
#define UP_TO_FLOOR "(i.epoch, i.seq) <= ($3::bigint, $4::bigint)"
#define NOT_DELETED                                                                                                    \
    "NOT EXISTS (SELECT FROM chat.items d WHERE d.booking_id = i.booking_id AND d.booking_created_ms = "               \
    "i.booking_created_ms AND d.target_id = i.message_id AND d.kind = 3)"

static const char tail_sql[] =
    "SELECT " STORED_COLUMNS " FROM (SELECT * FROM chat.items i WHERE " IN_CHAT " AND " UP_TO_FLOOR
    " AND i.kind IN (1, 4) ORDER BY i.epoch DESC, i.seq DESC LIMIT $5::bigint) i " STORED_JOINS(
        "$2::bigint") "ORDER BY i.epoch DESC, i.seq DESC";

#define UNREAD_LIMIT " LIMIT " NUMBER(UNREAD_MAX)
static const char position_sql[] =
    "SELECT l.epoch, l.seq, (SELECT count(*) FROM (SELECT FROM chat.items i WHERE " IN_CHAT " AND " UP_TO_FLOOR
    " AND i.kind = 1 AND i.from_id <> $5 AND (i.epoch, i.seq) > (coalesce(m.epoch, 0), coalesce(m.read_seq, 0)) "
    "AND " NOT_DELETED UNREAD_LIMIT ") AS u) FROM (SELECT i.epoch, i.seq FROM chat.items i WHERE " IN_CHAT
    " AND " UP_TO_FLOOR " ORDER BY i.epoch DESC, i.seq DESC LIMIT 1) l LEFT JOIN chat.marks m ON m.booking_id = $1 "
    "AND m.user_id = $5";

static void ask_open(struct question *question, const Hansom__ChatOpenRequest *request)
{
    char created[NUMBER_SIZE], epoch[NUMBER_SIZE], sequence[NUMBER_SIZE], tail[NUMBER_SIZE];
    const char *parameters[] = {request->booking_id, number_text(created, request->booking_created_at_ms),
                                number_text(epoch, (int64_t)question->archived.epoch),
                                number_text(sequence, (int64_t)question->archived.seq), NULL};
    parameters[4] = number_text(tail, request->tail);
    if (request->tail > 0)
        ask(question, tail_sql, ARRAY_LEN(parameters), parameters, on_tail);
    parameters[4] = request->user_id;
    ask(question, position_sql, ARRAY_LEN(parameters), parameters, on_position);
    ask(question,
        "SELECT user_id, epoch, delivered_seq, read_seq FROM chat.marks WHERE booking_id = $1 ORDER BY user_id LIMIT "
        "50",
        1, parameters, on_marks);
}

bool question_open(struct question *question, const uint8_t *data, size_t length)
{
    Hansom__ChatOpenRequest *request = hansom__chat_open_request__unpack(NULL, length, data);
    bool is_good =
        request != NULL && is_id(request->booking_id) && is_id(request->user_id) && request->tail <= PAGE_MAX;
    if (is_good)
        ask_open(question, request);
    hansom__chat_open_request__free_unpacked(request, NULL);
    return is_good;
}

/* --- history ------------------------------------------------------------------------------------------------------ */

/* One more than the page was asked for; it comes last and only says that there is more. */
static void take_page(struct question *question, const struct pg_result *result, bool is_backwards)
{
    Hansom__ChatHistoryReply *answer = (Hansom__ChatHistoryReply *)question->answer;
    size_t rows = pg_row_count(result), limit = (size_t)pg_value_int(result, 0, STORED_COLUMN_COUNT);
    answer->has_more = rows > limit;
    answer->n_items = rows > limit ? limit : rows;
    answer->items = items_from_rows(result, answer->n_items, is_backwards);
}

static void answer_history(struct question *question, enum pg_status status, const struct pg_result *result,
                           bool is_backwards)
{
    if (status == PG_OK && pg_row_count(result) > 0)
        take_page(question, result, is_backwards);
    if (!question_query_done(question, status))
        return;
    ((Hansom__ChatHistoryReply *)question->answer)->archived = copy_archived(question);
    question_answer(question);
}

static void on_page_before(void *context, enum pg_status status, const struct pg_result *result)
{
    answer_history(context, status, result, true);
}

static void on_page_after(void *context, enum pg_status status, const struct pg_result *result)
{
    answer_history(context, status, result, false);
}

/* Of two batches the later one may be committed first. A page that showed its items would lead its reader past those of
 * the other: items are shown up to the archive's floor, and what is so old that the floor is held up by something else.
 */
#define SETTLED_MS 60000 /* more than the consumer's ack_wait */
#define IS_SETTLED "((i.epoch, i.seq) <= ($6::bigint, $7::bigint) OR i.sent_at_ms < $8::bigint)"
#define PAGE(comparison, direction)                                                                                    \
    "SELECT " STORED_COLUMNS ", $5::bigint FROM (SELECT * FROM chat.items i WHERE " IN_CHAT                            \
    " AND (i.epoch, i.seq) " comparison " ($3::bigint, $4::bigint) AND i.kind IN (1, 4) AND " IS_SETTLED               \
    " ORDER BY i.epoch " direction ", i.seq " direction                                                                \
    " LIMIT $5::bigint + 1) i " STORED_JOINS("$2::bigint") "ORDER BY i.epoch " direction ", i.seq " direction
static const char page_before_sql[] = PAGE("<", "DESC");
static const char page_after_sql[] = PAGE(">", "ASC");

static void ask_history(struct question *question, const Hansom__ChatHistoryRequest *request)
{
    const Hansom__ChatCursor *cursor = request->after != NULL ? request->after : request->before;
    char created[NUMBER_SIZE], epoch[NUMBER_SIZE], sequence[NUMBER_SIZE], limit[NUMBER_SIZE];
    char floor_epoch[NUMBER_SIZE], floor_sequence[NUMBER_SIZE], settled[NUMBER_SIZE];
    const char *const parameters[] = {request->booking_id,
                                      number_text(created, request->booking_created_at_ms),
                                      number_text(epoch, cursor == NULL ? INT64_MAX : (int64_t)cursor->epoch),
                                      number_text(sequence, cursor == NULL ? INT64_MAX : (int64_t)cursor->seq),
                                      number_text(limit, request->limit),
                                      number_text(floor_epoch, (int64_t)question->archived.epoch),
                                      number_text(floor_sequence, (int64_t)question->archived.seq),
                                      number_text(settled, clock_wall_ms() - SETTLED_MS)};
    bool is_after = request->after != NULL;
    ask(question, is_after ? page_after_sql : page_before_sql, ARRAY_LEN(parameters), parameters,
        is_after ? on_page_after : on_page_before);
}

bool question_history(struct question *question, const uint8_t *data, size_t length)
{
    Hansom__ChatHistoryRequest *request = hansom__chat_history_request__unpack(NULL, length, data);
    bool is_good = request != NULL && is_id(request->booking_id) && request->limit >= 1 && request->limit <= PAGE_MAX &&
                   (request->before == NULL || request->after == NULL);
    if (is_good)
        ask_history(question, request);
    hansom__chat_history_request__free_unpacked(request, NULL);
    return is_good;
}

/* --- list --------------------------------------------------------------------------------------------------------- */

enum { LIST_BOOKING = STORED_COLUMN_COUNT, LIST_LAST_AT, LIST_UNREAD, LIST_LIMIT };

static Hansom__ChatSummary *summary_from_row(const struct pg_result *result, size_t row)
{
    Hansom__ChatSummary *chat = EMPTY_MESSAGE(hansom__chat_summary);
    ASSERT(chat != NULL);
    chat->booking_id = strdup(pg_value(result, row, LIST_BOOKING));
    chat->last_at_ms = pg_value_int(result, row, LIST_LAST_AT);
    chat->unread = (uint32_t)pg_value_int(result, row, LIST_UNREAD);
    if (pg_value(result, row, 0) != NULL)
        chat->last = stored_item_from_row(result, row, 0);
    return chat;
}

static void on_list(void *context, enum pg_status status, const struct pg_result *result)
{
    struct question *question = context;
    Hansom__ChatListReply *answer = (Hansom__ChatListReply *)question->answer;
    size_t rows = status == PG_OK ? pg_row_count(result) : 0;
    if (rows > 0) {
        size_t limit = (size_t)pg_value_int(result, 0, LIST_LIMIT), count = rows > limit ? limit : rows;
        answer->has_more = rows > limit;
        answer->chats = make_array(count, sizeof(*answer->chats));
        for (; answer->n_chats < count; answer->n_chats++)
            answer->chats[answer->n_chats] = summary_from_row(result, answer->n_chats);
    }
    if (question_query_done(question, status))
        question_answer(question);
}

#define COLUMN_UNREAD                                                                                                  \
    "(SELECT count(*) FROM (SELECT FROM chat.items i WHERE i.booking_id = c.booking_id AND i.booking_created_ms = "    \
    "c.booking_created_ms AND i.kind = 1 AND i.from_id <> $1 "                                                         \
    "AND (i.epoch, i.seq) > (coalesce(m.epoch, 0), coalesce(m.read_seq, 0)) AND " NOT_DELETED UNREAD_LIMIT ") AS u)"
#define STORED_JOINS_OF_ROW STORED_JOINS("i.booking_created_ms")
#define LIST(column)                                                                                                   \
    "SELECT " STORED_COLUMNS ", c.booking_id, c.last_item_ms, " COLUMN_UNREAD ", $3::bigint "                          \
    "FROM (SELECT * FROM chat.chats WHERE " column " = $1 AND (last_item_ms, booking_id) < ($2::bigint, $4::text) "    \
    "ORDER BY last_item_ms DESC, booking_id DESC LIMIT $3::bigint + 1) c "                                             \
    "LEFT JOIN chat.marks m ON m.booking_id = c.booking_id AND m.user_id = $1 "                                        \
    "LEFT JOIN chat.items i ON i.booking_id = c.booking_id AND i.booking_created_ms = c.booking_created_ms "           \
    "AND i.epoch = c.last_message_epoch AND i.seq = c.last_message_seq " STORED_JOINS_OF_ROW                           \
    "ORDER BY c.last_item_ms DESC, c.booking_id DESC"
static const char list_of_client_sql[] = LIST("client_id");
static const char list_of_driver_sql[] = LIST("driver_id");

bool question_list(struct question *question, const uint8_t *data, size_t length)
{
    Hansom__ChatListRequest *request = hansom__chat_list_request__unpack(NULL, length, data);
    bool is_good = request != NULL && is_id(request->user_id) && request->limit >= 1 && request->limit <= CHATS_MAX &&
                   (request->role == HANSOM__ROLE__ROLE_CLIENT || request->role == HANSOM__ROLE__ROLE_DRIVER);
    if (is_good) {
        char before[NUMBER_SIZE], limit[NUMBER_SIZE];
        const char *const parameters[] = {request->user_id,
                                          number_text(before, request->before_ms > 0 ? request->before_ms : INT64_MAX),
                                          number_text(limit, request->limit), request->before_booking_id};
        ask(question, request->role == HANSOM__ROLE__ROLE_CLIENT ? list_of_client_sql : list_of_driver_sql,
            ARRAY_LEN(parameters), parameters, on_list);
    }
    hansom__chat_list_request__free_unpacked(request, NULL);
    return is_good;
}
