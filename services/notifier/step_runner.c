#include "step_runner.h"

#include "base/clock.h"
#include "base/hashmap.h"
#include "core/step_decision.h"
#include "dispatcher.h"
#include "log/log.h"
#include "pg/pg_array.h"

#define LEASE_MS 15000
#define HOUR_MS 3600000

struct step_runner {
    struct notifier *app;
    uv_timer_t timer;
    bool is_busy, is_draining;
    bool is_woken;          /* since the last look */
    enum priority priority; /* of the look under way */
    size_t taken;           /* by the look under way */
};

static void look(struct step_runner *runner);

/* --- deciding ----------------------------------------------------------------------------------------------------- */

/* What came due, with all that decides about it. Parameters: priority, limit, now, lease, begin of the hour. By ctid,
 * because of a limit that is a parameter the planner expects a tenth of the queue, and reads the whole table for a
 * join; a row that was changed meanwhile is not found, and taken the next time. */
static const char take_sql[] =
    "WITH taken AS (UPDATE notify.steps s SET due_ms = $4::bigint WHERE s.ctid = ANY (ARRAY(SELECT ctid "
    "FROM notify.steps WHERE state = 0 AND priority = $1::smallint AND due_ms <= $3::bigint "
    "ORDER BY priority, due_ms LIMIT $2::bigint FOR UPDATE SKIP LOCKED)) RETURNING s.event_key, s.step) "
    "SELECT t.event_key, t.step, e.user_id, e.is_critical, e.expires_ms, "
    "e.acked_ms IS NOT NULL OR (e.seq > 0 AND EXISTS (SELECT FROM notify.acks a WHERE a.user_id = e.user_id "
    "AND a.epoch = e.epoch AND a.seq >= e.seq)), "
    "e.collapse_key <> '' AND EXISTS (SELECT FROM notify.events n WHERE n.user_id = e.user_id "
    "AND n.collapse_key = e.collapse_key AND (n.created_ms, n.seq) > (e.created_ms, e.seq) AND n.type = e.type), "
    "coalesce(e.type = ANY (c.muted_types), false), coalesce(c.push_off, false), coalesce(c.email_off, false), "
    "coalesce(c.sms_off, false), "
    "CASE t.step WHEN 1 THEN d.timezone IS NOT NULL ELSE (c.email <> '' AND c.email_dead_ms IS NULL) "
    "OR (c.phone <> '' AND c.phone_dead_ms IS NULL) END, "
    "c.quiet_from_min, c.quiet_to_min, coalesce(nullif(c.timezone, ''), d.timezone, ''), "
    "CASE WHEN r.hour_ms = $5::bigint THEN r.pushes ELSE 0 END "
    "FROM taken t JOIN notify.events e ON e.event_key = t.event_key "
    "LEFT JOIN notify.contacts c ON c.user_id = e.user_id LEFT JOIN notify.user_rates r ON r.user_id = e.user_id "
    "LEFT JOIN LATERAL (SELECT timezone FROM notify.devices v WHERE v.user_id = e.user_id AND v.dead_ms IS NULL "
    "ORDER BY v.registered_ms DESC LIMIT 1) d ON true";
enum taken_column {
    TAKEN_EVENT,
    TAKEN_STEP,
    TAKEN_USER,
    TAKEN_CRITICAL,
    TAKEN_EXPIRES,
    TAKEN_ACKNOWLEDGED,
    TAKEN_SUPERSEDED,
    TAKEN_MUTED,
    TAKEN_PUSH_OFF,
    TAKEN_EMAIL_OFF,
    TAKEN_SMS_OFF,
    TAKEN_HAS_TARGET,
    TAKEN_QUIET_FROM,
    TAKEN_QUIET_TO,
    TAKEN_TIMEZONE,
    TAKEN_PUSHES,
};

/* Parameters: event[], step[], state[], reason[], due[], uses_email[], uses_sms[], then now, tries, has a webhook,
 * begin of the hour. A push that reaches nobody makes the next step due at once. */
static const char apply_sql[] =
    "WITH t AS (SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::bigint[], "
    "$6::boolean[], $7::boolean[]) AS t (event_key, step, state, reason, due_ms, uses_email, uses_sms)), "
    "changed AS (UPDATE notify.steps s SET state = t.state, reason = t.reason, due_ms = t.due_ms FROM t "
    "WHERE s.event_key = t.event_key AND s.step = t.step AND s.state = 0 "
    "RETURNING s.event_key, s.step, s.state, s.reason, s.priority, t.uses_email, t.uses_sms), "
    "noted AS (UPDATE notify.events e SET acked_ms = $8::bigint FROM changed c WHERE c.state = 2 "
    "AND e.event_key = c.event_key AND e.acked_ms IS NULL), "
    "open AS (SELECT c.*, e.user_id FROM changed c JOIN notify.events e ON e.event_key = c.event_key "
    "WHERE c.state = 1), "
    "rates AS (INSERT INTO notify.user_rates AS r (user_id, hour_ms, pushes) SELECT user_id, $11::bigint, count(*) "
    "FROM open WHERE step = 1 AND priority = 1 GROUP BY user_id ORDER BY user_id ON CONFLICT (user_id) DO UPDATE "
    "SET pushes = excluded.pushes + CASE WHEN r.hour_ms = excluded.hour_ms THEN r.pushes ELSE 0 END, "
    "hour_ms = excluded.hour_ms), "
    "advanced AS (UPDATE notify.steps s SET due_ms = $8::bigint FROM open o WHERE o.step = 1 AND o.reason = "
    "'no_target' "
    "AND s.event_key = o.event_key AND s.step = 2 AND s.state = 0 AND s.due_ms > $8::bigint RETURNING s.event_key), "
    "made AS (INSERT INTO notify.deliveries (event_key, step, channel, device_id, state, priority, tries_limit, "
    "due_ms) "
    "SELECT o.event_key, 1, d.channel, d.device_id, 0, o.priority, $9::smallint, $8::bigint FROM open o "
    "JOIN notify.devices d ON d.user_id = o.user_id AND d.dead_ms IS NULL WHERE o.step = 1 UNION ALL "
    "SELECT o.event_key, 2, k.channel, '', 0, o.priority, $9::smallint, $8::bigint FROM open o "
    "LEFT JOIN notify.contacts c ON c.user_id = o.user_id CROSS JOIN LATERAL (VALUES "
    "(4, c.phone <> '' AND c.phone_dead_ms IS NULL AND o.uses_sms), "
    "(5, c.email <> '' AND c.email_dead_ms IS NULL AND o.uses_email), (6, $10::boolean)) AS k (channel, is_wanted) "
    "WHERE o.step = 2 AND k.is_wanted ON CONFLICT DO NOTHING RETURNING 1) "
    "SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM advanced)";
enum applied_column {
    APPLIED_EVENT,
    APPLIED_STEP,
    APPLIED_STATE,
    APPLIED_REASON,
    APPLIED_DUE,
    APPLIED_USES_EMAIL,
    APPLIED_USES_SMS,
    APPLIED_ARRAYS,
    APPLIED_NOW = APPLIED_ARRAYS,
    APPLIED_TRIES,
    APPLIED_HAS_WEBHOOK,
    APPLIED_HOUR,
    APPLIED_COUNT,
};

static bool is_true(const struct pg_result *result, size_t row, enum taken_column column)
{
    const char *value = pg_value(result, row, column);
    return value != NULL && *value == 't';
}

static int64_t hour_of(int64_t now_ms)
{
    return now_ms - now_ms % HOUR_MS;
}

/* The user's own quiet hours go before the setting's. */
static struct quiet_hours quiet_of(const struct notifier *app, const struct pg_result *result, size_t row)
{
    if (pg_value(result, row, TAKEN_QUIET_FROM) == NULL)
        return app->quiet_hours;
    return (struct quiet_hours){.is_set = true,
                                .from_min = (unsigned)pg_value_int(result, row, TAKEN_QUIET_FROM),
                                .to_min = (unsigned)pg_value_int(result, row, TAKEN_QUIET_TO)};
}

static struct step_facts facts_of(const struct notifier *app, const struct pg_result *result, size_t row,
                                  int64_t now_ms)
{
    enum step step = (enum step)pg_value_int(result, row, TAKEN_STEP);
    const char *zone = pg_value(result, row, TAKEN_TIMEZONE);
    return (struct step_facts){
        .step = step,
        .is_critical = is_true(result, row, TAKEN_CRITICAL),
        .is_acknowledged = is_true(result, row, TAKEN_ACKNOWLEDGED),
        .is_superseded = is_true(result, row, TAKEN_SUPERSEDED),
        .is_muted = is_true(result, row, TAKEN_MUTED),
        .push_off = is_true(result, row, TAKEN_PUSH_OFF),
        .email_off = is_true(result, row, TAKEN_EMAIL_OFF),
        .sms_off = is_true(result, row, TAKEN_SMS_OFF),
        .has_target =
            is_true(result, row, TAKEN_HAS_TARGET) || (step == STEP_CONTACT && *app->settings->webhook_url != '\0'),
        .expires_ms = pg_value_int(result, row, TAKEN_EXPIRES),
        .quiet = quiet_of(app, result, row),
        .timezone = *zone == '\0' ? app->settings->default_timezone : zone,
        .pushes_this_hour = (unsigned)pg_value_int(result, row, TAKEN_PUSHES),
        .pushes_per_hour = (unsigned)app->settings->not_critical_per_hour,
        .hour_ends_ms = hour_of(now_ms) + HOUR_MS,
    };
}

static void add_decision(struct pg_array *columns, const struct pg_result *result, size_t row,
                         const struct step_decision *decision)
{
    pg_array_text(&columns[APPLIED_EVENT], pg_value(result, row, TAKEN_EVENT));
    pg_array_text(&columns[APPLIED_STEP], pg_value(result, row, TAKEN_STEP));
    pg_array_int(&columns[APPLIED_STATE], decision->state);
    pg_array_text(&columns[APPLIED_REASON], decision->reason);
    pg_array_int(&columns[APPLIED_DUE], decision->due_ms);
    pg_array_bool(&columns[APPLIED_USES_EMAIL], decision->uses_email);
    pg_array_bool(&columns[APPLIED_USES_SMS], decision->uses_sms);
}

/* Several pushes of one user may be decided in one batch, and each counts. */
static unsigned pushes_before(struct hashmap *counts, const char *user_id)
{
    uintptr_t before = (uintptr_t)hashmap_get(counts, user_id);
    hashmap_set(counts, user_id, (void *)(before + 1));
    return (unsigned)before;
}

static void decide_all(struct step_runner *runner, const struct pg_result *result, struct pg_array *columns,
                       int64_t now_ms)
{
    struct notifier *app = runner->app;
    struct hashmap *counts = hashmap_create();
    for (size_t row = 0; row < pg_row_count(result); row++) {
        struct step_facts facts = facts_of(app, result, row, now_ms);
        if (!facts.is_critical && facts.step == STEP_PUSH)
            facts.pushes_this_hour += pushes_before(counts, pg_value(result, row, TAKEN_USER));
        struct step_decision decision = step_decide(&facts, now_ms);
        metrics_add(app->metrics, METRIC_NOTIFY_STEPS, facts.step <= STEP_MAX ? facts.step : 0, decision.state, 1);
        add_decision(columns, result, row, &decision);
    }
    hashmap_destroy(&counts);
}

/* --- one look ----------------------------------------------------------------------------------------------------- */

static void end_look(struct step_runner *runner)
{
    runner->is_busy = false;
    if (runner->is_woken)
        look(runner);
}

static void take(struct step_runner *runner);

/* What is critical goes first; the rest is looked at when nothing critical is due. */
static void go_on(struct step_runner *runner)
{
    if (runner->taken == (size_t)runner->app->settings->batch) {
        runner->is_woken = true;
    } else if (runner->priority + 1 < PRIORITY_COUNT) {
        runner->priority++;
        take(runner);
        return;
    }
    end_look(runner);
}

/* When it is not known to have happened the leases run out and it is decided again. */
static void on_applied(void *context, enum pg_status status, const struct pg_result *result)
{
    struct step_runner *runner = context;
    if (status == PG_FAILED)
        LOG_WARN("steps_refused", LOG_STR("sqlstate", pg_sqlstate(result)));
    if (status != PG_OK) {
        end_look(runner);
        return;
    }
    if (pg_value_int(result, 0, 0) > 0)
        dispatcher_wake(runner->app->dispatcher);
    if (pg_value_int(result, 0, 1) > 0)
        runner->is_woken = true;
    go_on(runner);
}

static void apply(struct step_runner *runner, const struct pg_result *taken)
{
    const struct notifier_settings *settings = runner->app->settings;
    struct pg_array columns[APPLIED_ARRAYS];
    const char *parameters[APPLIED_COUNT];
    char now[NUMBER_SIZE], tries[NUMBER_SIZE], hour[NUMBER_SIZE];
    int64_t now_ms = clock_wall_ms();
    pg_arrays_begin(columns, APPLIED_ARRAYS);
    decide_all(runner, taken, columns, now_ms);
    pg_arrays_end(columns, APPLIED_ARRAYS, parameters);
    parameters[APPLIED_NOW] = number_text(now, now_ms);
    parameters[APPLIED_TRIES] = number_text(tries, settings->tries_max);
    parameters[APPLIED_HAS_WEBHOOK] = *settings->webhook_url == '\0' ? "f" : "t";
    parameters[APPLIED_HOUR] = number_text(hour, hour_of(now_ms));
    pg_query_prepared(runner->app->pg, apply_sql, APPLIED_COUNT, parameters, query_timeout_ms(runner->app), on_applied,
                      runner);
    pg_arrays_finish(columns, APPLIED_ARRAYS);
}

static void on_taken(void *context, enum pg_status status, const struct pg_result *result)
{
    struct step_runner *runner = context;
    runner->taken = status == PG_OK ? pg_row_count(result) : 0;
    if (status == PG_FAILED)
        LOG_WARN("steps_not_taken", LOG_STR("sqlstate", pg_sqlstate(result)));
    if (runner->taken > 0)
        apply(runner, result);
    else if (status == PG_OK)
        go_on(runner);
    else
        end_look(runner);
}

static void take(struct step_runner *runner)
{
    char priority[NUMBER_SIZE], limit[NUMBER_SIZE], now[NUMBER_SIZE], lease[NUMBER_SIZE], hour[NUMBER_SIZE];
    int64_t now_ms = clock_wall_ms();
    const char *const parameters[] = {
        number_text(priority, runner->priority),
        number_text(limit, runner->app->settings->batch),
        number_text(now, now_ms),
        number_text(lease, now_ms + LEASE_MS),
        number_text(hour, hour_of(now_ms)),
    };
    pg_query_prepared(runner->app->pg, take_sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(runner->app),
                      on_taken, runner);
}

static void look(struct step_runner *runner)
{
    if (runner->is_busy || runner->is_draining || !pg_is_connected(runner->app->pg))
        return;
    runner->is_busy = true;
    runner->is_woken = false;
    runner->priority = PRIORITY_CRITICAL;
    take(runner);
}

void step_runner_wake(struct step_runner *runner)
{
    runner->is_woken = true;
    look(runner);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

void step_runner_drain(struct step_runner *runner)
{
    runner->is_draining = true;
}

bool step_runner_is_idle(const struct step_runner *runner)
{
    return !runner->is_busy;
}

struct step_runner *step_runner_create(struct notifier *app)
{
    struct step_runner *runner = mem_alloc(sizeof(*runner));
    runner->app = app;
    uv_timer_init(service_loop(app->service), &runner->timer);
    runner->timer.data = runner;
    uint64_t poll_ms = (uint64_t)app->settings->poll_ms;
    uv_timer_start(&runner->timer, on_timer, poll_ms, poll_ms);
    return runner;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void step_runner_destroy(struct step_runner **runner_pointer)
{
    struct step_runner *runner = *runner_pointer;
    *runner_pointer = NULL;
    if (runner != NULL)
        uv_close((uv_handle_t *)&runner->timer, on_closed);
}
