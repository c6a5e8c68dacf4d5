#include "ack_intake.h"

#include "base/ids.h"
#include "log/log.h"
#include "pg/pg_array.h"
#include "pg/pg_batch.h"

#define OUTSTANDING_MAX 2000
#define BATCH_MAX 1000
#define LINGER_MS 10
#define REPLY_SIZE 256

struct ack {
    struct list_node node;
    Hansom__EventAck *ack;
    char reply[REPLY_SIZE];
};

struct ack_intake {
    struct notifier *app;
    struct bus_pull *pull;
    struct pg_batch *batch; /* of struct ack */
};

enum { COLUMN_USER, COLUMN_EPOCH, COLUMN_SEQ, COLUMN_EVENT_ID, COLUMN_AT, COLUMN_COUNT };

/* One row of (policy, type is a wake, milliseconds to the acknowledgement) per event that nobody had acknowledged. */
static const char note_sql[] =
    "WITH t AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[]) "
    "AS t (user_id, epoch, seq, event_id, at_ms)), "
    "marks AS (INSERT INTO notify.acks AS a (user_id, epoch, seq, at_ms) "
    "SELECT DISTINCT ON (user_id) user_id, epoch, seq, at_ms FROM t WHERE seq > 0 "
    "ORDER BY user_id, epoch DESC, seq DESC ON CONFLICT (user_id) DO UPDATE "
    "SET epoch = excluded.epoch, seq = excluded.seq, at_ms = excluded.at_ms "
    "WHERE (excluded.epoch, excluded.seq) > (a.epoch, a.seq)), "
    "acked AS (UPDATE notify.events e SET acked_ms = t.at_ms FROM t WHERE e.user_id = t.user_id "
    "AND e.acked_ms IS NULL AND ((e.epoch = t.epoch AND e.seq <= t.seq AND e.seq > 0) OR e.event_id = t.event_id) "
    "RETURNING e.event_key, e.policy, e.type, e.created_ms, t.at_ms), "
    "stopped AS (UPDATE notify.steps s SET state = 2, reason = 'acknowledged' FROM acked a "
    "WHERE s.event_key = a.event_key AND s.state = 0), "
    "held AS (UPDATE notify.deliveries d SET state = 6, reason = 'acknowledged' FROM acked a "
    "WHERE d.event_key = a.event_key AND d.state = 0) "
    "SELECT policy, type = 'driver_wake', greatest(at_ms - created_ms, 0) FROM acked";

static void count_acknowledged(struct ack_intake *intake, const struct pg_result *result)
{
    struct metrics *metrics = intake->app->metrics;
    for (size_t row = 0; row < pg_row_count(result); row++) {
        unsigned policy = (unsigned)pg_value_int(result, row, 0);
        policy = policy < POLICY_END ? policy : POLICY_none;
        metrics_add(metrics, METRIC_NOTIFY_ACKS, policy, 0, 1);
        metrics_observe(metrics, METRIC_NOTIFY_ACK_SECONDS, policy, 0, (double)pg_value_int(result, row, 2) / 1000);
        if (*pg_value(result, row, 1) == 't')
            metrics_add(metrics, METRIC_NOTIFY_WAKES_ANSWERED, 0, 0, 1);
    }
}

static void on_noted(void *context, enum pg_status status, const struct pg_result *result)
{
    struct ack_intake *intake = context;
    if (status == PG_OK)
        count_acknowledged(intake, result);
    pg_batch_written(intake->batch, status, result);
}

static void add_row(struct pg_array *columns, const Hansom__EventAck *ack)
{
    pg_array_text(&columns[COLUMN_USER], ack->user_id);
    pg_array_int(&columns[COLUMN_EPOCH], (int64_t)ack->epoch);
    pg_array_int(&columns[COLUMN_SEQ], (int64_t)ack->seq);
    pg_array_text(&columns[COLUMN_EVENT_ID], ack->event_id);
    pg_array_int(&columns[COLUMN_AT], ack->at_ms);
}

static void write_batch(void *context, const struct list_node *items)
{
    struct ack_intake *intake = context;
    struct pg_array columns[COLUMN_COUNT];
    const char *parameters[COLUMN_COUNT];
    pg_arrays_begin(columns, COLUMN_COUNT);
    LIST_EACH(items, node)
    add_row(columns, CONTAINER_OF(node, const struct ack, node)->ack);
    pg_arrays_end(columns, COLUMN_COUNT, parameters);
    pg_query_prepared(intake->app->pg, note_sql, COLUMN_COUNT, parameters, query_timeout_ms(intake->app), on_noted,
                      intake);
    pg_arrays_finish(columns, COLUMN_COUNT);
}

static void end_ack(void *context, struct list_node *node, bool is_noted)
{
    struct ack_intake *intake = context;
    struct ack *ack = CONTAINER_OF(node, struct ack, node);
    if (is_noted)
        bus_pull_ack(intake->pull, ack->reply);
    hansom__event_ack__free_unpacked(ack->ack, NULL);
    mem_free(ack);
}

static bool is_good(const Hansom__EventAck *ack)
{
    bool is_known_event = id_is_valid(ack->event_id, strlen(ack->event_id));
    return id_is_valid(ack->user_id, strlen(ack->user_id)) && (*ack->event_id == '\0' || is_known_event) &&
           (ack->seq > 0 || is_known_event) && ack->seq <= INT64_MAX && ack->epoch <= INT64_MAX && ack->at_ms > 0;
}

static void on_pulled(void *context, const struct bus_pulled *pulled)
{
    struct ack_intake *intake = context;
    const struct bus_message *message = &pulled->message;
    Hansom__EventAck *unpacked = hansom__event_ack__unpack(NULL, message->length, message->data);
    if (unpacked == NULL || !is_good(unpacked)) {
        LOG_ERROR("ack_not_understood", LOG_STR("subject", message->subject), LOG_INT("seq", message->sequence));
        metrics_add(intake->app->metrics, METRIC_NOTIFY_MALFORMED, NOTIFIER_ACKS, 0, 1);
        hansom__event_ack__free_unpacked(unpacked, NULL);
        bus_pull_ack(intake->pull, message->reply);
        return;
    }
    struct ack *ack = mem_alloc(sizeof(*ack));
    ack->ack = unpacked;
    ASSERT(str_copy(ack->reply, sizeof(ack->reply), message->reply));
    pg_batch_add(intake->batch, &ack->node);
}

struct ack_intake *ack_intake_create(struct notifier *app)
{
    struct ack_intake *intake = mem_alloc(sizeof(*intake));
    const struct pg_batch_config config = {
        .loop = service_loop(app->service),
        .name = "acks",
        .limit = BATCH_MAX,
        .linger_ms = LINGER_MS,
        .write = write_batch,
        .end = end_ack,
        .context = intake,
    };
    intake->app = app;
    intake->batch = pg_batch_create(&config);
    intake->pull = bus_pull_create(app->bus, STREAM_ACKS, CONSUMER_NOTIFIER, OUTSTANDING_MAX, on_pulled, intake);
    return intake;
}

void ack_intake_bus_state(struct ack_intake *intake, enum bus_state state)
{
    bus_pull_bus_state(intake->pull, state);
}

void ack_intake_drain(struct ack_intake *intake)
{
    bus_pull_stop(intake->pull);
    pg_batch_hurry(intake->batch);
}

bool ack_intake_is_idle(const struct ack_intake *intake)
{
    return pg_batch_count(intake->batch) == 0;
}

void ack_intake_destroy(struct ack_intake **intake_pointer)
{
    struct ack_intake *intake = *intake_pointer;
    *intake_pointer = NULL;
    if (intake == NULL)
        return;
    pg_batch_destroy(&intake->batch);
    bus_pull_destroy(&intake->pull);
    mem_free(intake);
}
