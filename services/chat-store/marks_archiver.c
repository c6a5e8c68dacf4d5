#include "marks_archiver.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/list.h"
#include "log/log.h"
#include "pg/pg_array.h"

#define OUTSTANDING_MAX 2000
#define LINGER_MS 20
#define RETRY_BASE_MS 50
#define RETRY_CAP_MS 2000
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
    struct list_node queue, batch;
    size_t batched;
    bool is_busy, is_draining;
    unsigned attempt;
    uv_timer_t timer; /* lingers, or waits for the next try */
};

static struct mark *mark_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct mark, node);
}

static void free_mark(struct mark *mark)
{
    list_remove(&mark->node);
    hansom__chat_item__free_unpacked(mark->item, NULL);
    mem_free(mark);
}

static void write_batch(struct marks_archiver *marks);

static void on_timer(uv_timer_t *timer)
{
    write_batch(timer->data);
}

static void wait(struct marks_archiver *marks, uint64_t wait_ms)
{
    uv_timer_start(&marks->timer, on_timer, wait_ms, 0);
}

static void finish_batch(struct marks_archiver *marks)
{
    metrics_add(marks->store->metrics, METRIC_CHAT_MARKS, 0, 0, marks->batched);
    LIST_EACH_SAFE(&marks->batch, node, following)
    {
        bus_pull_ack(marks->pull, mark_at(node)->reply);
        free_mark(mark_at(node));
    }
    marks->batched = 0;
    marks->attempt = 0;
    marks->is_busy = false;
    if (!list_is_empty(&marks->queue))
        wait(marks, marks->is_draining ? 0 : LINGER_MS);
}

static void on_written(void *context, enum pg_status status, const struct pg_result *result)
{
    struct marks_archiver *marks = context;
    if (status == PG_OK) {
        finish_batch(marks);
        return;
    }
    if (status == PG_FAILED)
        LOG_WARN("marks_refused", LOG_STR("sqlstate", pg_sqlstate(result)));
    wait(marks, backoff_full_jitter_ms(marks->attempt++, RETRY_BASE_MS, RETRY_CAP_MS));
}

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

static void send_batch(struct marks_archiver *marks)
{
    struct pg_array columns[COLUMN_COUNT];
    const char *parameters[COLUMN_COUNT + 1];
    char now[NUMBER_SIZE];
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        pg_array_begin(&columns[i]);
    LIST_EACH(&marks->batch, node)
    add_row(columns, mark_at(node)->item);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        parameters[i] = pg_array_end(&columns[i]);
    parameters[COLUMN_COUNT] = number_text(now, clock_wall_ms());
    pg_query(marks->store->archive_pg, write_sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(marks->store),
             on_written, marks);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        pg_array_finish(&columns[i]);
}

static void write_batch(struct marks_archiver *marks)
{
    while (!marks->is_busy && !list_is_empty(&marks->queue)) {
        struct list_node *node = marks->queue.next;
        list_remove(node);
        list_append(&marks->batch, node);
        marks->batched++;
    }
    if (marks->batched == 0)
        return;
    marks->is_busy = true;
    send_batch(marks);
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
    list_append(&marks->queue, &mark->node);
    if (!marks->is_busy && !uv_is_active((uv_handle_t *)&marks->timer))
        wait(marks, LINGER_MS);
}

struct marks_archiver *marks_archiver_create(struct chat_store *store)
{
    struct marks_archiver *marks = mem_alloc(sizeof(*marks));
    marks->store = store;
    list_init(&marks->queue);
    list_init(&marks->batch);
    uv_timer_init(service_loop(store->service), &marks->timer);
    marks->timer.data = marks;
    marks->pull = bus_pull_create(store->bus, STREAM_MARKS, CONSUMER_ARCHIVE, OUTSTANDING_MAX, on_pulled, marks);
    return marks;
}

void marks_archiver_bus_state(struct marks_archiver *marks, enum bus_state state)
{
    bus_pull_bus_state(marks->pull, state);
}

void marks_archiver_drain(struct marks_archiver *marks)
{
    marks->is_draining = true;
    bus_pull_stop(marks->pull);
    if (!marks->is_busy)
        wait(marks, 0);
}

bool marks_archiver_is_idle(const struct marks_archiver *marks)
{
    return !marks->is_busy && list_is_empty(&marks->queue);
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void marks_archiver_destroy(struct marks_archiver **marks_pointer)
{
    struct marks_archiver *marks = *marks_pointer;
    *marks_pointer = NULL;
    if (marks == NULL)
        return;
    struct list_node *const lists[] = {&marks->batch, &marks->queue};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        while (!list_is_empty(lists[i]))
            free_mark(mark_at(lists[i]->next));
    bus_pull_destroy(&marks->pull);
    uv_close((uv_handle_t *)&marks->timer, on_closed);
}
