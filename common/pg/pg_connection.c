/*
 * One connection: made, kept in pipeline mode, lost, made again. Every query is followed by a Sync of its own, so it is
 * its own transaction; it counts as done when the answer to that Sync has come, not before.
 */
#include "pg/pg_priv.h"

#include "base/backoff.h"
#include "log/log.h"

#define CONNECT_TIMEOUT_MS 5000
#define RETRY_BASE_MS 100
#define RETRY_CAP_MS 3000
/* How long an answer may be overdue before the connection is taken for dead. */
#define OVERDUE_GRACE_MS 2000

static void start_attempt(struct pg_connection *connection);
static void on_poll(uv_poll_t *poll, int status, int events);

/* --- the socket's watcher ----------------------------------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void stop_watching(struct pg_connection *connection)
{
    if (connection->poll == NULL)
        return;
    uv_close((uv_handle_t *)connection->poll, on_poll_closed);
    connection->poll = NULL;
}

/* libpq may change its socket while it connects. */
static bool watch(struct pg_connection *connection, int events)
{
    int socket = PQsocket(connection->conn);
    if (socket < 0)
        return false;
    if (connection->poll != NULL && socket != connection->poll_socket)
        stop_watching(connection);
    if (connection->poll == NULL) {
        connection->poll = mem_alloc(sizeof(*connection->poll));
        if (uv_poll_init(connection->pg->loop, connection->poll, socket) != 0) {
            mem_free(connection->poll);
            connection->poll = NULL;
            return false;
        }
        connection->poll->data = connection;
        connection->poll_socket = socket;
    }
    return uv_poll_start(connection->poll, events, on_poll) == 0;
}

/* --- lost --------------------------------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer)
{
    start_attempt(timer->data);
}

static void release(struct pg_connection *connection)
{
    stop_watching(connection);
    uv_timer_stop(&connection->timer);
    PQfinish(connection->conn);
    connection->conn = NULL;
    connection->overdue_count = 0;
    memset(connection->prepared, 0, sizeof(connection->prepared));
}

static void log_lost(const struct pg_connection *connection, bool was_ready)
{
    /* PQerrorMessage may name the user and the data: only the kind is logged. */
    LOG_WARN(was_ready ? "pg_lost" : "pg_connect_failed", LOG_INT("connection", connection->index),
             LOG_INT("attempt", connection->attempt), LOG_INT("in_flight", connection->in_flight_count));
}

/* Whatever was under way may or may not have happened. */
static void lose(struct pg_connection *connection)
{
    bool was_ready = connection->state == PG_CONNECTION_READY;
    log_lost(connection, was_ready);
    release(connection);
    connection->state = PG_CONNECTION_WAITING;
    uint64_t delay_ms = backoff_full_jitter_ms(connection->attempt, RETRY_BASE_MS, RETRY_CAP_MS);
    connection->attempt++;
    uv_timer_start(&connection->timer, on_retry, delay_ms, 0);
    if (was_ready)
        pg_connection_was_lost(connection->pg);
    while (!list_is_empty(&connection->in_flight))
        pg_query_finish(CONTAINER_OF(connection->in_flight.next, struct pg_query, node), PG_UNCERTAIN);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void on_attempt_timeout(uv_timer_t *timer)
{
    lose(timer->data);
}

static void become_ready(struct pg_connection *connection)
{
    uv_timer_stop(&connection->timer);
    if (PQsetnonblocking(connection->conn, 1) != 0 || !PQenterPipelineMode(connection->conn) ||
        !watch(connection, UV_READABLE)) {
        lose(connection);
        return;
    }
    connection->attempt = 0;
    connection->state = PG_CONNECTION_READY;
    LOG_INFO("pg_connected", LOG_INT("connection", connection->index));
    pg_connection_became_ready(connection->pg);
}

static void go_on_connecting(struct pg_connection *connection)
{
    PostgresPollingStatusType next = PQconnectPoll(connection->conn);
    if (next == PGRES_POLLING_OK)
        become_ready(connection);
    else if (next == PGRES_POLLING_FAILED ||
             !watch(connection, next == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
        lose(connection);
}

static void ignore_notice(void *context, const PGresult *notice)
{
    (void)context;
    (void)notice;
}

static void start_attempt(struct pg_connection *connection)
{
    /* What stands before dbname can be set otherwise by the URL. */
    const char *const keywords[] = {"tcp_user_timeout", "keepalives_idle",           "keepalives_interval",
                                    "keepalives_count", "client_encoding",           "options",
                                    "dbname",           "fallback_application_name", NULL};
    const char *const values[] = {"10000",  "10", "5", "3", "UTF8", connection->pg->options, connection->pg->url,
                                  "hansom", NULL};
    connection->state = PG_CONNECTION_CONNECTING;
    connection->conn = PQconnectStartParams(keywords, values, 1);
    uv_timer_start(&connection->timer, on_attempt_timeout, CONNECT_TIMEOUT_MS, 0);
    if (connection->conn == NULL || PQstatus(connection->conn) == CONNECTION_BAD || !watch(connection, UV_WRITABLE)) {
        lose(connection);
        return;
    }
    PQsetNoticeReceiver(connection->conn, ignore_notice, NULL);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static struct pg_query *head(struct pg_connection *connection)
{
    if (list_is_empty(&connection->in_flight))
        return NULL;
    return CONTAINER_OF(connection->in_flight.next, struct pg_query, node);
}

/* Not an answer to the query but the end of the connection. */
static bool ends_connection(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity == NULL) /* libpq's own words: the server said nothing */
        return PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
    return str_equal(severity, "FATAL") || str_equal(severity, "PANIC");
}

static void on_overdue(uv_timer_t *timer)
{
    lose(timer->data);
}

/* An overdue answer has come after all. */
static void note_late_answer(struct pg_connection *connection)
{
    uv_timer_stop(&connection->timer);
    if (--connection->overdue_count > 0)
        uv_timer_start(&connection->timer, on_overdue, OVERDUE_GRACE_MS, 0);
}

void pg_connection_query_overdue(struct pg_connection *connection)
{
    if (connection->overdue_count++ == 0)
        uv_timer_start(&connection->timer, on_overdue, OVERDUE_GRACE_MS, 0);
}

/* NULL: there is no room for it. A free place's sql is NULL. */
static struct pg_prepared *find_prepared(struct pg_connection *connection, const char *sql)
{
    struct pg_prepared *place = NULL;
    for (size_t i = 0; i < PREPARED_MAX; i++) {
        struct pg_prepared *candidate = &connection->prepared[i];
        if (candidate->sql == sql)
            return candidate;
        if (candidate->sql == NULL && place == NULL)
            place = candidate;
    }
    return place;
}

#define SQLSTATE_NO_SUCH_STATEMENT "26000"
#define SQLSTATE_PLAN_CHANGED "0A000" /* its columns are others now */

/* What could not be prepared, or is no longer good, is prepared anew the next time, under another name. */
static void note_prepared_failed(struct pg_connection *connection, const struct pg_query *query)
{
    struct pg_prepared *prepared = find_prepared(connection, query->prepared);
    const char *state = PQresultErrorField(query->result, PG_DIAG_SQLSTATE);
    bool is_lost =
        query->is_preparing || str_equal(state, SQLSTATE_NO_SUCH_STATEMENT) || str_equal(state, SQLSTATE_PLAN_CHANGED);
    if (is_lost && prepared != NULL && prepared->sql == query->prepared)
        *prepared = (struct pg_prepared){0};
}

/* The query's transaction has ended. */
static void finish_head(struct pg_connection *connection)
{
    struct pg_query *query = head(connection);
    ExecStatusType status = PQresultStatus(query->result);
    bool is_good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (query->is_overdue)
        note_late_answer(connection);
    if (!is_good && query->prepared != NULL)
        note_prepared_failed(connection, query);
    pg_query_finish(query, is_good ? PG_OK : PG_FAILED);
}

/* False: the connection is at its end. */
static bool take_result(struct pg_connection *connection, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        finish_head(connection);
        return true;
    }
    if (status == PGRES_FATAL_ERROR && ends_connection(result)) {
        PQclear(result);
        return false;
    }
    struct pg_query *query = head(connection);
    if (status == PGRES_PIPELINE_ABORTED) { /* what came before it has failed, and says why */
        PQclear(result);
        return true;
    }
    if (query->is_preparing && status == PGRES_COMMAND_OK) {
        query->is_preparing = false;
        PQclear(result);
        return true;
    }
    PQclear(query->result); /* a failure at the end of the transaction replaces what it had answered */
    query->result = result;
    return true;
}

static void read_answers(struct pg_connection *connection)
{
    if (PQconsumeInput(connection->conn) == 0) {
        lose(connection);
        return;
    }
    /* A callback may destroy the pool: state then says so. */
    while (connection->state == PG_CONNECTION_READY && head(connection) != NULL && !PQisBusy(connection->conn)) {
        PGresult *result = PQgetResult(connection->conn);
        if (result == NULL && PQstatus(connection->conn) == CONNECTION_OK)
            continue; /* between a query's results and its Sync */
        if (result == NULL || !take_result(connection, result)) {
            lose(connection);
            return;
        }
    }
    if (connection->state == PG_CONNECTION_READY && PQstatus(connection->conn) == CONNECTION_BAD)
        lose(connection);
}

static bool flush(struct pg_connection *connection)
{
    int left = PQflush(connection->conn);
    return left >= 0 && watch(connection, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pg_connection *connection = poll->data;
    if (connection->state == PG_CONNECTION_CONNECTING) {
        go_on_connecting(connection);
        return;
    }
    bool is_flushed = (events & UV_WRITABLE) == 0 || flush(connection);
    if (status < 0 || !is_flushed)
        lose(connection);
    else
        read_answers(connection);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static bool send_prepared(struct pg_connection *connection, struct pg_prepared *prepared, struct pg_query *query,
                          const char *sql, size_t count, const char *const *parameters)
{
    char name[16];
    query->is_preparing = prepared->sql == NULL;
    if (query->is_preparing)
        *prepared = (struct pg_prepared){sql, ++connection->prepared_number};
    snprintf(name, sizeof(name), "s%u", prepared->number);
    return (!query->is_preparing || PQsendPrepare(connection->conn, name, sql, 0, NULL) == 1) &&
           PQsendQueryPrepared(connection->conn, name, (int)count, parameters, NULL, NULL, 0) == 1;
}

static bool send_statement(struct pg_connection *connection, struct pg_query *query, const char *sql, size_t count,
                           const char *const *parameters)
{
    struct pg_prepared *prepared = query->prepared == NULL ? NULL : find_prepared(connection, query->prepared);
    if (prepared != NULL)
        return send_prepared(connection, prepared, query, sql, count, parameters);
    return PQsendQueryParams(connection->conn, sql, (int)count, NULL, parameters, NULL, NULL, 0) == 1;
}

bool pg_connection_send(struct pg_connection *connection, struct pg_query *query, const char *sql, size_t count,
                        const char *const *parameters)
{
    if (!send_statement(connection, query, sql, count, parameters))
        return false;
    query->connection = connection;
    list_append(&connection->in_flight, &query->node);
    connection->in_flight_count++;
    /* A failure is found by on_poll, never here: the callback may not come before pg_query returns. */
    bool is_flushed = PQpipelineSync(connection->conn) == 1 && flush(connection);
    if (!is_flushed && connection->poll != NULL)
        uv_poll_start(connection->poll, UV_READABLE | UV_WRITABLE, on_poll);
    return true;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void pg_connection_init(struct pg_connection *connection, struct pg *pg, unsigned index)
{
    connection->pg = pg;
    connection->index = index;
    list_init(&connection->in_flight);
    uv_timer_init(pg->loop, &connection->timer);
    connection->timer.data = connection;
    pg->open_handles++;
    uv_timer_start(&connection->timer, on_retry, 0, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct pg_connection *connection = handle->data;
    handle->data = connection->pg;
    pg_handle_closed(handle);
}

void pg_connection_close(struct pg_connection *connection)
{
    release(connection);
    connection->state = PG_CONNECTION_CLOSED;
    while (head(connection) != NULL) {
        struct pg_query *query = head(connection);
        query->callback = NULL;
        pg_query_finish(query, PG_UNCERTAIN);
    }
    uv_close((uv_handle_t *)&connection->timer, on_timer_closed);
}
