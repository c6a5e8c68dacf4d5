#include "marks_archiver.h"

#include "base/clock.h"
#include "log/log.h"
#include "pg/pg_array.h"
#include "pg/pg_batch.h"

#define OUTSTANDING_MAX 2000
#define LINGER_MS 20
#define POISON_RETRY_MS 30000
#define REPLY_SIZE 256

struct mark {
    struct list_node node;
    Hansom__ChatItem *item;
    char reply[REPLY_SIZE];
};

struct marks_archiver {
    struct chat_store *store;
    struct bus_pull *pull;
    struct pg_batch *batch; /* of struct mark */
};

/* Several marks of one participant in one batch are one row. */
static const char write_sql[] =
    "INSERT INTO chat.marks AS m (booking_id, user_id, epoch, delivered_seq, read_seq, updated_ms) "
    "SELECT DISTINCT ON (booking_id, user_id) booking_id, user_id, epoch, "
    "max(delivered) OVER w, max(read) OVER w, $6::bigint "
    "FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) "
    "AS t (booking_id, user_id, epoch, delivered, read) "
    "WINDOW w AS (PARTITION BY booking_id, user_id, epoch) ORDER BY booking_id, user_id, epoch DESC "
    "ON CONFLICT (booking_id, user_id) DO UPDATE SET "
    "delivered_seq = CASE WHEN excluded.epoch > m.epoch THEN excluded.delivered_seq "
    "WHEN excluded.epoch = m.epoch THEN greatest(m.delivered_seq, excluded.delivered_seq) ELSE m.delivered_seq END, "
    "read_seq = CASE WHEN excluded.epoch > m.epoch THEN excluded.read_seq "
    "WHEN excluded.epoch = m.epoch THEN greatest(m.read_seq, excluded.read_seq) ELSE m.read_seq END, "
    "epoch = greatest(m.epoch, excluded.epoch), updated_ms = excluded.updated_ms";
enum { COLUMN_BOOKING, COLUMN_USER, COLUMN_EPOCH, COLUMN_DELIVERED, COLUMN_READ, COLUMN_COUNT };

/* What has been read has been delivered. */
static void add_row(struct pg_array *columns, const Hansom__ChatItem *item)
{
    bool is_read = item->receipt == HANSOM__RECEIPT_KIND__RECEIPT_KIND_READ;
    pg_array_text(&columns[COLUMN_BOOKING], item->booking_id);
    pg_array_text(&columns[COLUMN_USER], item->from_id);
    pg_array_int(&columns[COLUMN_EPOCH], (int64_t)item->epoch);
    pg_array_int(&columns[COLUMN_DELIVERED], (int64_t)item->up_to_seq);
    pg_array_int(&columns[COLUMN_READ], is_read ? (int64_t)item->up_to_seq : 0);
}

static void on_written(void *context, enum pg_status status, const struct pg_result *result)
{
    struct marks_archiver *marks = context;
    pg_batch_written(marks->batch, status, result);
}

static void write_batch(void *context, const struct list_node *items)
{
    struct marks_archiver *marks = context;
    struct pg_array columns[COLUMN_COUNT];
    const char *parameters[COLUMN_COUNT + 1];
    char now[NUMBER_SIZE];
    pg_arrays_begin(columns, COLUMN_COUNT);
    LIST_EACH(items, node)
    add_row(columns, CONTAINER_OF(node, const struct mark, node)->item);
    pg_arrays_end(columns, COLUMN_COUNT, parameters);
    parameters[COLUMN_COUNT] = number_text(now, clock_wall_ms());
    pg_query(marks->store->archive_pg, write_sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(marks->store),
             on_written, marks);
    pg_arrays_finish(columns, COLUMN_COUNT);
}

static void end_mark(void *context, struct list_node *node, bool is_committed)
{
    struct marks_archiver *marks = context;
    struct mark *mark = CONTAINER_OF(node, struct mark, node);
    if (is_committed) {
        metrics_add(marks->store->metrics, METRIC_CHAT_MARKS, 0, 0, 1);
        bus_pull_ack(marks->pull, mark->reply);
    }
    hansom__chat_item__free_unpacked(mark->item, NULL);
    mem_free(mark);
}

static void on_pulled(void *context, const struct bus_pulled *pulled)
{
    struct marks_archiver *marks = context;
    const struct bus_message *message = &pulled->message;
    Hansom__ChatItem *item = hansom__chat_item__unpack(NULL, message->length, message->data);
    if (item == NULL || *item->booking_id == '\0' || *item->from_id == '\0') {
        LOG_ERROR("mark_not_understood", LOG_INT("seq", message->sequence));
        hansom__chat_item__free_unpacked(item, NULL);
        bus_pull_retry(marks->pull, message->reply, POISON_RETRY_MS);
        return;
    }
    struct mark *mark = mem_alloc(sizeof(*mark));
    mark->item = item;
    ASSERT(str_copy(mark->reply, sizeof(mark->reply), message->reply));
    pg_batch_add(marks->batch, &mark->node);
}

struct marks_archiver *marks_archiver_create(struct chat_store *store)
{
    struct marks_archiver *marks = mem_alloc(sizeof(*marks));
    const struct pg_batch_config config = {
        .loop = service_loop(store->service),
        .name = "marks",
        .limit = OUTSTANDING_MAX,
        .linger_ms = LINGER_MS,
        .write = write_batch,
        .end = end_mark,
        .context = marks,
    };
    marks->store = store;
    marks->batch = pg_batch_create(&config);
    marks->pull = bus_pull_create(store->bus, STREAM_MARKS, CONSUMER_ARCHIVE, OUTSTANDING_MAX, on_pulled, marks);
    return marks;
}

void marks_archiver_bus_state(struct marks_archiver *marks, enum bus_state state)
{
    bus_pull_bus_state(marks->pull, state);
}

void marks_archiver_drain(struct marks_archiver *marks)
{
    bus_pull_stop(marks->pull);
    pg_batch_hurry(marks->batch);
}

bool marks_archiver_is_idle(const struct marks_archiver *marks)
{
    return pg_batch_count(marks->batch) == 0;
}

void marks_archiver_destroy(struct marks_archiver **marks_pointer)
{
    struct marks_archiver *marks = *marks_pointer;
    *marks_pointer = NULL;
    if (marks == NULL)
        return;
    pg_batch_destroy(&marks->batch);
    bus_pull_destroy(&marks->pull);
    mem_free(marks);
}
