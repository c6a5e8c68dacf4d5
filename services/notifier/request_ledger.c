/* The ledger of events, dead letters and their replay: what operators look at. */
#include "base/clock.h"
#include "core/ledger_states.h"
#include "dispatcher.h"
#include "request.h"

#define DEAD_MAX 200
#define REPLAY_MAX 10000
#define EVENTS_MAX_TEXT "100"

/* For protobuf-c's allocator. */
static char *copy_text(const char *text)
{
    char *copy = strdup(text == NULL ? "" : text);
    ASSERT(copy != NULL);
    return copy;
}

static char *copy_name(const char *const *names, const struct pg_result *result, size_t row, size_t column)
{
    return copy_text(ledger_name(names, pg_value_int(result, row, column)));
}

/* Grows an array of a message by one. */
#define APPEND(array, count, item)                                                                                     \
    ((array) = realloc((array), ((count) + 1) * sizeof(*(array))), ASSERT((array) != NULL), (array)[(count)++] = (item))
#define EMPTY_MESSAGE(type) type##__unpack(NULL, 0, (const uint8_t *)"")

/* --- rpc.notify.ledger -------------------------------------------------------------------------------------------- */

/* Rows of four kinds, those of one event after the other, each kind with eight texts. */
enum row_kind { ROW_EVENT = 1, ROW_STEP, ROW_DELIVERY, ROW_ATTEMPT };
enum { COLUMN_KIND, COLUMN_FIRST = 2 };
static const char ledger_sql[] =
    "WITH e AS (SELECT * FROM notify.events WHERE event_id = $1 AND ($2 = '' OR user_id = $2) "
    "ORDER BY event_key LIMIT " EVENTS_MAX_TEXT "), "
    "d AS (SELECT * FROM notify.deliveries WHERE event_key IN (SELECT event_key FROM e)) "
    "SELECT kind, event_key, a, b, c, d, e, f, g, h FROM ("
    "SELECT 1 AS kind, event_key, user_id AS a, event_id AS b, type AS c, is_critical::int::text AS d, "
    "policy::text AS e, created_ms::text AS f, expires_ms::text AS g, coalesce(acked_ms, 0)::text AS h, "
    "0::bigint AS first, 0 AS second FROM e UNION ALL "
    "SELECT 2, event_key, step::text, state::text, reason, due_ms::text, '', '', '', '', step, 0 FROM notify.steps "
    "WHERE event_key IN (SELECT event_key FROM e) UNION ALL "
    "SELECT 3, event_key, delivery_id::text, step::text, channel::text, device_id, state::text, reason, due_ms::text, "
    "coalesce(delivered_ms, 0)::text, delivery_id, 0 FROM d UNION ALL "
    "SELECT 4, d.event_key, d.delivery_id::text, n.number::text, n.outcome::text, n.reason, n.status::text, "
    "n.provider_id, n.started_ms::text, coalesce(n.ended_ms, 0)::text, n.delivery_id, n.number "
    "FROM d JOIN notify.attempts n ON n.delivery_id = d.delivery_id) AS t "
    "ORDER BY event_key, kind, first, second";

static Hansom__LedgerEvent *event_from_row(const struct pg_result *result, size_t row)
{
    Hansom__LedgerEvent *event = EMPTY_MESSAGE(hansom__ledger_event);
    ASSERT(event != NULL);
    event->user_id = copy_text(pg_value(result, row, COLUMN_FIRST));
    event->event_id = copy_text(pg_value(result, row, COLUMN_FIRST + 1));
    event->type = copy_text(pg_value(result, row, COLUMN_FIRST + 2));
    event->critical = pg_value_int(result, row, COLUMN_FIRST + 3) != 0;
    event->policy = copy_name(policy_names, result, row, COLUMN_FIRST + 4);
    event->created_at_ms = pg_value_int(result, row, COLUMN_FIRST + 5);
    event->expires_at_ms = pg_value_int(result, row, COLUMN_FIRST + 6);
    event->acknowledged_at_ms = pg_value_int(result, row, COLUMN_FIRST + 7);
    return event;
}

static Hansom__LedgerStep *step_from_row(const struct pg_result *result, size_t row)
{
    Hansom__LedgerStep *step = EMPTY_MESSAGE(hansom__ledger_step);
    ASSERT(step != NULL);
    step->step = (uint32_t)pg_value_int(result, row, COLUMN_FIRST);
    step->state = copy_name(step_state_names, result, row, COLUMN_FIRST + 1);
    step->reason = copy_text(pg_value(result, row, COLUMN_FIRST + 2));
    step->due_at_ms = pg_value_int(result, row, COLUMN_FIRST + 3);
    return step;
}

static Hansom__LedgerDelivery *delivery_from_row(const struct pg_result *result, size_t row, size_t first)
{
    Hansom__LedgerDelivery *delivery = EMPTY_MESSAGE(hansom__ledger_delivery);
    ASSERT(delivery != NULL);
    delivery->delivery_id = (uint64_t)pg_value_int(result, row, first);
    delivery->step = (uint32_t)pg_value_int(result, row, first + 1);
    delivery->channel = copy_name(channel_names, result, row, first + 2);
    delivery->device_id = copy_text(pg_value(result, row, first + 3));
    delivery->state = copy_name(delivery_state_names, result, row, first + 4);
    delivery->reason = copy_text(pg_value(result, row, first + 5));
    delivery->due_at_ms = pg_value_int(result, row, first + 6);
    delivery->delivered_at_ms = pg_value_int(result, row, first + 7);
    return delivery;
}

static Hansom__LedgerAttempt *attempt_row(const struct pg_result *result, size_t row)
{
    Hansom__LedgerAttempt *attempt = EMPTY_MESSAGE(hansom__ledger_attempt);
    ASSERT(attempt != NULL);
    attempt->number = (uint32_t)pg_value_int(result, row, COLUMN_FIRST + 1);
    attempt->outcome = copy_name(attempt_outcome_names, result, row, COLUMN_FIRST + 2);
    attempt->reason = copy_text(pg_value(result, row, COLUMN_FIRST + 3));
    attempt->status = (uint32_t)pg_value_int(result, row, COLUMN_FIRST + 4);
    attempt->provider_id = copy_text(pg_value(result, row, COLUMN_FIRST + 5));
    attempt->started_at_ms = pg_value_int(result, row, COLUMN_FIRST + 6);
    attempt->ended_at_ms = pg_value_int(result, row, COLUMN_FIRST + 7);
    return attempt;
}

static void add_attempt(Hansom__LedgerEvent *event, const struct pg_result *result, size_t row)
{
    uint64_t delivery_id = (uint64_t)pg_value_int(result, row, COLUMN_FIRST);
    for (size_t i = 0; i < event->n_deliveries; i++) {
        Hansom__LedgerDelivery *delivery = event->deliveries[i];
        if (delivery->delivery_id == delivery_id)
            APPEND(delivery->attempts, delivery->n_attempts, attempt_row(result, row));
    }
}

static void add_ledger_row(Hansom__LedgerReply *reply, const struct pg_result *result, size_t row)
{
    enum row_kind kind = (enum row_kind)pg_value_int(result, row, COLUMN_KIND);
    if (kind == ROW_EVENT) {
        APPEND(reply->events, reply->n_events, event_from_row(result, row));
        return;
    }
    Hansom__LedgerEvent *event = reply->events[reply->n_events - 1];
    if (kind == ROW_STEP)
        APPEND(event->steps, event->n_steps, step_from_row(result, row));
    else if (kind == ROW_DELIVERY)
        APPEND(event->deliveries, event->n_deliveries, delivery_from_row(result, row, COLUMN_FIRST));
    else
        add_attempt(event, result, row);
}

static void on_ledger(void *context, enum pg_status status, const struct pg_result *result)
{
    struct request *request = context;
    if (!request_query_done(request, status, result))
        return;
    for (size_t row = 0; row < pg_row_count(result); row++)
        add_ledger_row((Hansom__LedgerReply *)request->reply, result, row);
    request_answer(request);
}

void request_ledger(struct request *request, const void *message)
{
    const Hansom__LedgerRequest *wanted = message;
    const char *const parameters[] = {wanted->event_id, wanted->user_id};
    request_query(request, ledger_sql, ARRAY_LEN(parameters), parameters, on_ledger);
}

/* --- rpc.notify.dead ---------------------------------------------------------------------------------------------- */

/* channel 0: all. before 0: from the newest. */
static const char dead_sql[] =
    "SELECT d.delivery_id, d.step, d.channel, d.device_id, d.state, d.reason, d.due_ms, 0, e.user_id, e.event_id, "
    "e.type, $3::bigint FROM notify.deliveries d JOIN notify.events e ON e.event_key = d.event_key "
    "WHERE d.state = 5 AND ($1::smallint = 0 OR d.channel = $1::smallint) "
    "AND ($2::bigint = 0 OR d.delivery_id < $2::bigint) ORDER BY d.delivery_id DESC LIMIT $3::bigint + 1";
enum { DEAD_USER = 8, DEAD_EVENT, DEAD_TYPE, DEAD_LIMIT };

static Hansom__DeadLetter *letter_from_row(const struct pg_result *result, size_t row)
{
    Hansom__DeadLetter *letter = EMPTY_MESSAGE(hansom__dead_letter);
    ASSERT(letter != NULL);
    letter->user_id = copy_text(pg_value(result, row, DEAD_USER));
    letter->event_id = copy_text(pg_value(result, row, DEAD_EVENT));
    letter->type = copy_text(pg_value(result, row, DEAD_TYPE));
    letter->delivery = delivery_from_row(result, row, 0);
    return letter;
}

static void on_dead(void *context, enum pg_status status, const struct pg_result *result)
{
    struct request *request = context;
    Hansom__DeadReply *reply = (Hansom__DeadReply *)request->reply;
    if (!request_query_done(request, status, result))
        return;
    for (size_t row = 0; row < pg_row_count(result); row++) {
        reply->has_more = reply->n_letters == (size_t)pg_value_int(result, row, DEAD_LIMIT);
        if (!reply->has_more)
            APPEND(reply->letters, reply->n_letters, letter_from_row(result, row));
    }
    request_answer(request);
}

/* "": all, which is CHANNEL_NONE. */
static bool read_channel(const char *name, enum channel *channel_r)
{
    *channel_r = channel_from_name(name);
    return *name == '\0' || *channel_r != CHANNEL_NONE;
}

void request_dead(struct request *request, const void *message)
{
    const Hansom__DeadRequest *wanted = message;
    enum channel channel;
    char number[NUMBER_SIZE], before[NUMBER_SIZE], limit[NUMBER_SIZE];
    if (!read_channel(wanted->channel, &channel) || wanted->limit < 1 || wanted->limit > DEAD_MAX ||
        wanted->before_delivery_id > INT64_MAX) {
        request_fail(request, ERROR_bad_request);
        return;
    }
    const char *const parameters[] = {number_text(number, channel),
                                      number_text(before, (int64_t)wanted->before_delivery_id),
                                      number_text(limit, wanted->limit)};
    request_query(request, dead_sql, ARRAY_LEN(parameters), parameters, on_dead);
}

/* --- rpc.notify.replay -------------------------------------------------------------------------------------------- */

static const char replay_sql[] =
    "UPDATE notify.deliveries SET state = 0, reason = 'replayed', due_ms = $3::bigint, "
    "tries_limit = tries + $4::smallint WHERE delivery_id IN (SELECT d.delivery_id FROM notify.deliveries d "
    "JOIN notify.events e ON e.event_key = d.event_key WHERE d.state = 5 AND ($1 = '' OR e.event_id = $1) "
    "AND ($2::smallint = 0 OR d.channel = $2::smallint) ORDER BY d.delivery_id LIMIT $5::bigint FOR UPDATE OF d)";

static void on_replayed(void *context, enum pg_status status, const struct pg_result *result)
{
    struct request *request = context;
    if (!request_query_done(request, status, result))
        return;
    struct dispatcher *dispatcher = request->app->dispatcher;
    ((Hansom__ReplayReply *)request->reply)->replayed = (uint32_t)pg_affected(result);
    request_answer(request);
    dispatcher_wake(dispatcher);
}

void request_replay(struct request *request, const void *message)
{
    const Hansom__ReplayRequest *wanted = message;
    enum channel channel;
    char number[NUMBER_SIZE], now[NUMBER_SIZE], tries[NUMBER_SIZE], limit[NUMBER_SIZE];
    bool is_all = *wanted->event_id == '\0' && *wanted->channel == '\0';
    if (!read_channel(wanted->channel, &channel) || is_all || wanted->limit < 1 || wanted->limit > REPLAY_MAX) {
        request_fail(request, ERROR_bad_request);
        return;
    }
    const char *const parameters[] = {wanted->event_id, number_text(number, channel), number_text(now, clock_wall_ms()),
                                      number_text(tries, request->app->settings->tries_max),
                                      number_text(limit, wanted->limit)};
    request_query(request, replay_sql, ARRAY_LEN(parameters), parameters, on_replayed);
}
