#include "event_intake.h"

#include "base/clock.h"
#include "pg/pg_array.h"
#include "pg/pg_batch.h"
#include "step_runner.h"

#define LINGER_MS 5

struct entry {
    struct list_node node;
    Hansom__UserEvent *event;
    uint64_t epoch, sequence;
    event_kept_cb *callback;
    void *context;
};

struct event_intake {
    struct notifier *app;
    struct pg_batch *batch; /* of struct entry */
};

enum column {
    COLUMN_USER,
    COLUMN_EVENT_ID,
    COLUMN_TYPE,
    COLUMN_DATA,
    COLUMN_CRITICAL,
    COLUMN_POLICY,
    COLUMN_COLLAPSE_KEY,
    COLUMN_CREATED,
    COLUMN_EXPIRES,
    COLUMN_EPOCH,
    COLUMN_SEQ,
    COLUMN_PUSH_DUE,
    COLUMN_CONTACT_DUE,
    COLUMN_COUNT,
};

/* What is acknowledged already gets no steps. In the order of users, so that two replicas do not wait for each other in
 * a circle. Nothing is joined with what was inserted: of such a join the planner expects one row. */
static const char keep_sql[] =
    "WITH t AS (SELECT DISTINCT ON (user_id, event_id) * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], "
    "$5::boolean[], $6::smallint[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], "
    "$12::bigint[], $13::bigint[]) AS t (user_id, event_id, type, data, is_critical, policy, collapse_key, created_ms, "
    "expires_ms, epoch, seq, push_due_ms, contact_due_ms) ORDER BY user_id, event_id, seq), "
    "kept AS (INSERT INTO notify.events (user_id, event_id, type, data, is_critical, policy, collapse_key, created_ms, "
    "expires_ms, epoch, seq, push_planned_ms, contact_planned_ms, acked_ms) SELECT t.*, "
    "(SELECT a.at_ms FROM notify.acks a WHERE a.user_id = t.user_id AND a.epoch = t.epoch AND a.seq >= t.seq "
    "AND t.seq > 0) FROM t ON CONFLICT (user_id, event_id) DO NOTHING "
    "RETURNING event_key, is_critical, push_planned_ms, contact_planned_ms, acked_ms) "
    "INSERT INTO notify.steps (event_key, step, state, priority, due_ms) "
    "SELECT k.event_key, s.step, 0, CASE WHEN k.is_critical THEN 0 ELSE 1 END, s.due_ms FROM kept k "
    "CROSS JOIN LATERAL (VALUES (1, k.push_planned_ms), (2, k.contact_planned_ms)) AS s (step, due_ms) "
    "WHERE s.due_ms IS NOT NULL AND k.acked_ms IS NULL";

static const struct entry *entry_at(const struct list_node *node)
{
    return CONTAINER_OF(node, struct entry, node);
}

/* --- one row ------------------------------------------------------------------------------------------------------ */

static struct planned_steps plan_event(const struct notifier *app, const Hansom__UserEvent *event,
                                       const struct plan *plan)
{
    const struct plan_times times = {.push_after_ms = app->settings->push_after_ms,
                                     .contact_after_ms = app->settings->contact_after_ms,
                                     .created_ms = event->created_at_ms,
                                     .expires_ms = event->expires_at_ms};
    if (event->created_at_ms < clock_wall_ms() - app->settings->event_max_age_s * 1000)
        return (struct planned_steps){NO_STEP, NO_STEP};
    return plan_steps(plan, &times);
}

static void add_due(struct pg_array *column, int64_t due_ms)
{
    if (due_ms == NO_STEP)
        pg_array_text(column, NULL);
    else
        pg_array_int(column, due_ms);
}

static void add_row(const struct notifier *app, struct pg_array *columns, const struct entry *entry)
{
    const Hansom__UserEvent *event = entry->event;
    struct plan plan = policies_plan(app->policies, event->type, event->critical);
    struct planned_steps steps = plan_event(app, event, &plan);
    pg_array_text(&columns[COLUMN_USER], event->user_id);
    pg_array_text(&columns[COLUMN_EVENT_ID], event->event_id);
    pg_array_text(&columns[COLUMN_TYPE], event->type);
    pg_array_text(&columns[COLUMN_DATA], *event->data_json == '\0' ? "{}" : event->data_json);
    pg_array_bool(&columns[COLUMN_CRITICAL], plan.is_critical);
    pg_array_int(&columns[COLUMN_POLICY], plan.policy);
    pg_array_text(&columns[COLUMN_COLLAPSE_KEY], event->collapse_key);
    pg_array_int(&columns[COLUMN_CREATED], event->created_at_ms);
    pg_array_int(&columns[COLUMN_EXPIRES], event->expires_at_ms);
    pg_array_int(&columns[COLUMN_EPOCH], (int64_t)entry->epoch);
    pg_array_int(&columns[COLUMN_SEQ], (int64_t)entry->sequence);
    add_due(&columns[COLUMN_PUSH_DUE], steps.push_due_ms);
    add_due(&columns[COLUMN_CONTACT_DUE], steps.contact_due_ms);
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static void on_kept(void *context, enum pg_status status, const struct pg_result *result)
{
    struct event_intake *intake = context;
    pg_batch_written(intake->batch, status, result);
    if (status == PG_OK)
        step_runner_wake(intake->app->steps);
}

static void write_batch(void *context, const struct list_node *items)
{
    struct event_intake *intake = context;
    struct pg_array columns[COLUMN_COUNT];
    const char *parameters[COLUMN_COUNT];
    pg_arrays_begin(columns, COLUMN_COUNT);
    LIST_EACH(items, node)
    add_row(intake->app, columns, entry_at(node));
    pg_arrays_end(columns, COLUMN_COUNT, parameters);
    pg_query_prepared(intake->app->pg, keep_sql, COLUMN_COUNT, parameters, query_timeout_ms(intake->app), on_kept,
                      intake);
    pg_arrays_finish(columns, COLUMN_COUNT);
}

static void end_entry(void *context, struct list_node *node, bool is_kept)
{
    struct event_intake *intake = context;
    struct entry *entry = CONTAINER_OF(node, struct entry, node);
    struct plan plan = policies_plan(intake->app->policies, entry->event->type, entry->event->critical);
    if (is_kept)
        metrics_add(intake->app->metrics, METRIC_NOTIFY_EVENTS, plan.policy, 0, 1);
    entry->callback(entry->context, is_kept);
    hansom__user_event__free_unpacked(entry->event, NULL);
    mem_free(entry);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void event_intake_add(struct event_intake *intake, Hansom__UserEvent *event, uint64_t epoch, uint64_t sequence,
                      event_kept_cb *callback, void *context)
{
    struct entry *entry = mem_alloc(sizeof(*entry));
    entry->event = event;
    entry->epoch = epoch;
    entry->sequence = sequence;
    entry->callback = callback;
    entry->context = context;
    pg_batch_add(intake->batch, &entry->node);
}

bool event_intake_is_idle(const struct event_intake *intake)
{
    return pg_batch_count(intake->batch) == 0;
}

struct event_intake *event_intake_create(struct notifier *app)
{
    struct event_intake *intake = mem_alloc(sizeof(*intake));
    const struct pg_batch_config config = {
        .loop = service_loop(app->service),
        .name = "events",
        .limit = (size_t)app->settings->batch,
        .linger_ms = LINGER_MS,
        .write = write_batch,
        .end = end_entry,
        .context = intake,
    };
    intake->app = app;
    intake->batch = pg_batch_create(&config);
    return intake;
}

void event_intake_destroy(struct event_intake **intake_pointer)
{
    struct event_intake *intake = *intake_pointer;
    *intake_pointer = NULL;
    if (intake == NULL)
        return;
    pg_batch_destroy(&intake->batch);
    mem_free(intake);
}
