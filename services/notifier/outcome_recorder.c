#include "outcome_recorder.h"

#include "base/clock.h"
#include "log/log.h"
#include "pg/pg_array.h"
#include "pg/pg_batch.h"
#include "step_runner.h"

#define LINGER_MS 5

struct outcome_recorder {
    struct notifier *app;
    outcome_recorded_cb *callback;
    struct pg_batch *batch; /* of struct attempt */
};

enum column {
    COLUMN_DELIVERY,
    COLUMN_NUMBER,
    COLUMN_OUTCOME,
    COLUMN_REASON,
    COLUMN_STATUS,
    COLUMN_PROVIDER_ID,
    COLUMN_ENDED,
    COLUMN_STATE,
    COLUMN_DUE,
    COLUMN_IS_DEAD,
    COLUMN_DEAD_SINCE,
    COLUMN_COUNT,
};

/* Without an outcome it was no attempt. A delivery that somebody else has claimed since is theirs. A token or contact
 * that was registered after the provider learnt of its death lives. Answers the events whose push may have reached
 * nobody. */
static const char record_sql[] =
    "WITH t AS (SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::integer[], "
    "$6::text[], $7::bigint[], $8::smallint[], $9::bigint[], $10::boolean[], $11::bigint[]) AS t (delivery_id, number, "
    "outcome, reason, status, provider_id, ended_ms, state, due_ms, is_dead, dead_since_ms)), "
    "tried AS (UPDATE notify.attempts a SET outcome = t.outcome, reason = t.reason, status = t.status, "
    "provider_id = t.provider_id, ended_ms = t.ended_ms FROM t WHERE a.delivery_id = t.delivery_id "
    "AND a.number = t.number AND t.outcome IS NOT NULL RETURNING a.delivery_id, a.started_ms), "
    "untried AS (DELETE FROM notify.attempts a USING t WHERE a.delivery_id = t.delivery_id AND a.number = t.number "
    "AND t.outcome IS NULL), "
    "ended AS (UPDATE notify.deliveries d SET due_ms = t.due_ms, "
    "reason = CASE WHEN t.state = 0 AND e.acked_ms IS NOT NULL THEN 'acknowledged' ELSE t.reason END, "
    "tries = d.tries - CASE WHEN t.outcome IS NULL THEN 1 ELSE 0 END, "
    "state = CASE WHEN t.state = 0 AND e.acked_ms IS NOT NULL THEN 6 ELSE t.state END FROM t, notify.events e "
    "WHERE d.delivery_id = t.delivery_id AND d.tries = t.number AND d.state = 1 AND e.event_key = d.event_key "
    "RETURNING d.delivery_id, d.event_key, d.step, d.state, d.channel, d.device_id, e.user_id, t.is_dead, t.reason, "
    "t.ended_ms, t.dead_since_ms), "
    "gone AS (SELECT x.*, CASE WHEN x.dead_since_ms > 0 THEN x.dead_since_ms ELSE a.started_ms END AS since_ms "
    "FROM ended x JOIN tried a ON a.delivery_id = x.delivery_id WHERE x.is_dead), "
    "devices AS (UPDATE notify.devices v SET dead_ms = g.ended_ms, dead_why = g.reason FROM gone g "
    "WHERE v.user_id = g.user_id AND v.device_id = g.device_id AND v.channel = g.channel AND v.dead_ms IS NULL "
    "AND v.registered_ms <= g.since_ms), "
    "contacts AS (UPDATE notify.contacts c SET "
    "phone_dead_ms = CASE g.channel WHEN 4 THEN g.ended_ms ELSE c.phone_dead_ms END, "
    "email_dead_ms = CASE g.channel WHEN 5 THEN g.ended_ms ELSE c.email_dead_ms END FROM gone g "
    "WHERE c.user_id = g.user_id AND g.channel IN (4, 5) AND c.updated_ms <= g.since_ms) "
    "SELECT DISTINCT event_key FROM ended WHERE step = 1 AND state IN (4, 5, 7)";

/* The push has reached nobody: the contacts need not wait. Parameters: event[], now. */
static const char advance_sql[] =
    "UPDATE notify.steps s SET due_ms = $2::bigint FROM unnest($1::bigint[]) AS t (event_key) "
    "WHERE s.event_key = t.event_key AND s.step = 2 AND s.state = 0 AND s.due_ms > $2::bigint "
    "AND NOT EXISTS (SELECT FROM notify.deliveries d WHERE d.event_key = s.event_key AND d.step = 1 "
    "AND d.state IN (0, 1, 2, 3))";

/* If this fails the step keeps its own time. */
static void on_advanced(void *context, enum pg_status status, const struct pg_result *result)
{
    struct outcome_recorder *recorder = context;
    if (status == PG_OK && pg_affected(result) > 0)
        step_runner_wake(recorder->app->steps);
    else if (status != PG_OK)
        LOG_WARN("steps_not_advanced", LOG_STR("sqlstate", pg_sqlstate(result)));
}

static void advance(struct outcome_recorder *recorder, const struct pg_result *result)
{
    struct pg_array events;
    char now[NUMBER_SIZE];
    pg_array_begin(&events);
    for (size_t row = 0; row < pg_row_count(result); row++)
        pg_array_text(&events, pg_value(result, row, 0));
    const char *const parameters[] = {pg_array_end(&events), number_text(now, clock_wall_ms())};
    pg_query_prepared(recorder->app->pg, advance_sql, ARRAY_LEN(parameters), parameters,
                      query_timeout_ms(recorder->app), on_advanced, recorder);
    pg_array_finish(&events);
}

static void on_written(void *context, enum pg_status status, const struct pg_result *result)
{
    struct outcome_recorder *recorder = context;
    if (status == PG_OK && pg_row_count(result) > 0)
        advance(recorder, result);
    pg_batch_written(recorder->batch, status, result);
}

static enum attempt_outcome outcome_number(const struct outcome *outcome)
{
    return outcome->verdict == VERDICT_ACCEPTED ? OUTCOME_accepted
           : outcome->is_uncertain              ? OUTCOME_uncertain
                                                : OUTCOME_failed;
}

static void add_row(struct pg_array *columns, const struct attempt *attempt)
{
    const struct outcome *outcome = &attempt->outcome;
    pg_array_int(&columns[COLUMN_DELIVERY], (int64_t)attempt->notice.delivery_id);
    pg_array_int(&columns[COLUMN_NUMBER], attempt->notice.attempt);
    if (outcome->verdict == VERDICT_LATER)
        pg_array_text(&columns[COLUMN_OUTCOME], NULL);
    else
        pg_array_int(&columns[COLUMN_OUTCOME], outcome_number(outcome));
    pg_array_text(&columns[COLUMN_REASON], outcome->failure == FAILURE_none ? "" : failure_names[outcome->failure]);
    pg_array_int(&columns[COLUMN_STATUS], outcome->status);
    pg_array_text(&columns[COLUMN_PROVIDER_ID], outcome->provider_id);
    pg_array_int(&columns[COLUMN_ENDED], attempt->ended_ms);
    pg_array_int(&columns[COLUMN_STATE], attempt->decision.state);
    pg_array_int(&columns[COLUMN_DUE], attempt->decision.due_ms);
    pg_array_bool(&columns[COLUMN_IS_DEAD], outcome->verdict == VERDICT_DEAD);
    pg_array_int(&columns[COLUMN_DEAD_SINCE], outcome->dead_since_ms);
}

static void write_batch(void *context, const struct list_node *items)
{
    struct outcome_recorder *recorder = context;
    struct pg_array columns[COLUMN_COUNT];
    const char *parameters[COLUMN_COUNT];
    pg_arrays_begin(columns, COLUMN_COUNT);
    LIST_EACH(items, node)
    add_row(columns, CONTAINER_OF(node, const struct attempt, node));
    pg_arrays_end(columns, COLUMN_COUNT, parameters);
    pg_query_prepared(recorder->app->pg, record_sql, COLUMN_COUNT, parameters, query_timeout_ms(recorder->app),
                      on_written, recorder);
    pg_arrays_finish(columns, COLUMN_COUNT);
}

static void count(struct metrics *metrics, const struct attempt *attempt)
{
    unsigned channel = attempt->notice.channel;
    if (attempt->outcome.verdict == VERDICT_ACCEPTED) {
        int64_t delay_ms = attempt->ended_ms - attempt->notice.created_ms;
        metrics_add(metrics, METRIC_NOTIFY_SENT, channel, 0, 1);
        metrics_observe(metrics, METRIC_NOTIFY_DELAY_SECONDS, channel, 0, delay_ms < 0 ? 0 : (double)delay_ms / 1000);
    } else if (attempt->outcome.failure == FAILURE_host_busy) {
        metrics_add(metrics, METRIC_NOTIFY_PUT_OFF, channel, 0, 1);
    } else if (attempt->outcome.verdict != VERDICT_LATER) {
        metrics_add(metrics, METRIC_NOTIFY_FAILED, channel, attempt->outcome.failure, 1);
    }
    if (attempt->outcome.verdict == VERDICT_DEAD)
        metrics_add(metrics, METRIC_NOTIFY_DEAD_TARGETS, channel, 0, 1);
    if (attempt->decision.state != DELIVERY_due)
        metrics_add(metrics, METRIC_NOTIFY_ENDED, channel, attempt->decision.state, 1);
}

static void end_attempt(void *context, struct list_node *node, bool is_recorded)
{
    struct outcome_recorder *recorder = context;
    struct attempt *attempt = CONTAINER_OF(node, struct attempt, node);
    if (is_recorded)
        count(recorder->app->metrics, attempt);
    recorder->callback(attempt->dispatcher, attempt, is_recorded);
    attempt_destroy(&attempt);
}

struct outcome_recorder *outcome_recorder_create(struct notifier *app, outcome_recorded_cb *callback)
{
    struct outcome_recorder *recorder = mem_alloc(sizeof(*recorder));
    const struct pg_batch_config config = {
        .loop = service_loop(app->service),
        .name = "outcomes",
        .limit = (size_t)app->settings->batch,
        .linger_ms = LINGER_MS,
        .write = write_batch,
        .end = end_attempt,
        .context = recorder,
    };
    recorder->app = app;
    recorder->callback = callback;
    recorder->batch = pg_batch_create(&config);
    return recorder;
}

void outcome_recorder_add(struct outcome_recorder *recorder, struct attempt *attempt)
{
    pg_batch_add(recorder->batch, &attempt->node);
}

void outcome_recorder_destroy(struct outcome_recorder **recorder_pointer)
{
    struct outcome_recorder *recorder = *recorder_pointer;
    *recorder_pointer = NULL;
    if (recorder == NULL)
        return;
    pg_batch_destroy(&recorder->batch);
    mem_free(recorder);
}
