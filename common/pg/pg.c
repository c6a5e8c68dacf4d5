#include "pg/pg_priv.h"

#include "base/clock.h"

/* Queries under way per connection: beyond it the database does not keep up, and refusing is better than waiting. */
#define IN_FLIGHT_MAX 4096

static void on_refused_timer(uv_timer_t *timer);
static void on_deadline_timer(uv_timer_t *timer);

/* --- life --------------------------------------------------------------------------------------------------------- */

static bool check_url(const char *url, char **error_r)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    if (options != NULL) {
        PQconninfoFree(options);
        return true;
    }
    char text[256];
    snprintf(text, sizeof(text), "postgres_url: %s", message != NULL ? message : "cannot be parsed");
    text[strcspn(text, "\n")] = '\0';
    *error_r = mem_strdup(text);
    PQfreemem(message);
    return false;
}

struct pg *pg_create(uv_loop_t *loop, const char *url, unsigned connections, char **error_r)
{
    ASSERT(connections >= 1 && connections <= 64);
    if (!check_url(url, error_r))
        return NULL;
    struct pg *pg = mem_alloc(sizeof(*pg));
    pg->loop = loop;
    pg->url = mem_strdup(url);
    pg->options = "";
    list_init(&pg->refused);
    heap_init(&pg->deadlines);
    uv_timer_init(loop, &pg->refused_timer);
    uv_timer_init(loop, &pg->deadline_timer);
    pg->refused_timer.data = pg->deadline_timer.data = pg;
    pg->open_handles = 2;
    pg->connections = mem_alloc(connections * sizeof(*pg->connections));
    pg->connection_count = connections;
    for (unsigned i = 0; i < connections; i++)
        pg_connection_init(&pg->connections[i], pg, i);
    return pg;
}

void pg_handle_closed(uv_handle_t *handle)
{
    struct pg *pg = handle->data;
    if (--pg->open_handles > 0)
        return;
    heap_finish(&pg->deadlines);
    mem_free(pg->connections);
    mem_free(pg->url);
    mem_free(pg);
}

void pg_destroy(struct pg **pg_pointer)
{
    struct pg *pg = *pg_pointer;
    *pg_pointer = NULL;
    if (pg == NULL)
        return;
    pg->on_state = NULL;
    LIST_EACH_SAFE(&pg->refused, node, following)
    {
        struct pg_query *query = CONTAINER_OF(node, struct pg_query, node);
        query->callback = NULL;
        pg_query_finish(query, query->refused_status);
    }
    for (unsigned i = 0; i < pg->connection_count; i++)
        pg_connection_close(&pg->connections[i]);
    uv_close((uv_handle_t *)&pg->refused_timer, pg_handle_closed);
    uv_close((uv_handle_t *)&pg->deadline_timer, pg_handle_closed);
}

void pg_plan_once(struct pg *pg)
{
    pg->options = "-c plan_cache_mode=force_generic_plan";
}

/* --- state -------------------------------------------------------------------------------------------------------- */

bool pg_is_connected(const struct pg *pg)
{
    return pg->ready_count > 0;
}

void pg_on_state(struct pg *pg, pg_state_cb *callback, void *context)
{
    pg->on_state = callback;
    pg->on_state_context = context;
    if (pg_is_connected(pg) && callback != NULL)
        callback(context, true);
}

void pg_connection_became_ready(struct pg *pg)
{
    if (pg->ready_count++ == 0 && pg->on_state != NULL)
        pg->on_state(pg->on_state_context, true);
}

void pg_connection_was_lost(struct pg *pg)
{
    ASSERT(pg->ready_count > 0);
    if (--pg->ready_count == 0 && pg->on_state != NULL)
        pg->on_state(pg->on_state_context, false);
}

/* --- queries ------------------------------------------------------------------------------------------------------ */

static void unlink_query(struct pg_query *query)
{
    list_remove(&query->node);
    if (query->connection == NULL)
        return;
    query->connection->in_flight_count--;
    heap_remove(&query->connection->pg->deadlines, &query->deadline);
}

void pg_query_finish(struct pg_query *query, enum pg_status status)
{
    unlink_query(query);
    struct pg_result result = {.raw = query->result};
    bool has_result = (status == PG_OK || status == PG_FAILED) && result.raw != NULL;
    if (query->callback != NULL)
        query->callback(query->context, status, has_result ? &result : NULL);
    PQclear(query->result);
    mem_free(query);
}

static void arm_deadline_timer(struct pg *pg)
{
    struct heap_node *first = heap_first(&pg->deadlines);
    if (first == NULL) {
        uv_timer_stop(&pg->deadline_timer);
        return;
    }
    uint64_t now_ms = clock_monotonic_ms();
    uv_update_time(pg->loop);
    uv_timer_start(&pg->deadline_timer, on_deadline_timer, first->key > now_ms ? first->key - now_ms : 0, 0);
}

/* The entry stays in line for its answer, but nobody waits for it any more. */
static void give_up(struct pg_query *query)
{
    pg_result_cb *callback = query->callback;
    void *context = query->context;
    query->callback = NULL;
    query->is_overdue = true;
    pg_connection_query_overdue(query->connection);
    callback(context, PG_UNCERTAIN, NULL);
}

static void on_deadline_timer(uv_timer_t *timer)
{
    struct pg *pg = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    for (struct heap_node *first; (first = heap_first(&pg->deadlines)) != NULL && first->key <= now_ms;) {
        heap_remove(&pg->deadlines, first);
        give_up(CONTAINER_OF(first, struct pg_query, deadline));
    }
    if (!uv_is_closing((uv_handle_t *)timer))
        arm_deadline_timer(pg);
}

static void on_refused_timer(uv_timer_t *timer)
{
    struct pg *pg = timer->data;
    struct list_node batch; /* what a callback asks anew waits for the next turn */
    list_init(&batch);
    while (!list_is_empty(&pg->refused)) {
        struct list_node *node = pg->refused.next;
        list_remove(node);
        list_append(&batch, node);
    }
    while (!list_is_empty(&batch)) {
        struct pg_query *query = CONTAINER_OF(batch.next, struct pg_query, node);
        if (uv_is_closing((uv_handle_t *)timer))
            query->callback = NULL;
        pg_query_finish(query, query->refused_status);
    }
}

static void refuse(struct pg *pg, struct pg_query *query, enum pg_status status)
{
    query->connection = NULL;
    query->refused_status = status;
    list_append(&pg->refused, &query->node);
    uv_timer_start(&pg->refused_timer, on_refused_timer, 0, 0);
}

/* The one with the least to do; NULL while none is connected, or all are full. */
static struct pg_connection *choose_connection(struct pg *pg)
{
    struct pg_connection *best = NULL;
    for (unsigned i = 0; i < pg->connection_count; i++) {
        struct pg_connection *candidate = &pg->connections[i];
        if (candidate->state != PG_CONNECTION_READY || candidate->in_flight_count >= IN_FLIGHT_MAX)
            continue;
        if (best == NULL || candidate->in_flight_count < best->in_flight_count)
            best = candidate;
    }
    return best;
}

static void send_query(struct pg *pg, struct pg_query *query, const char *sql, size_t parameter_count,
                       const char *const *parameters, uint32_t timeout_ms)
{
    struct pg_connection *connection = choose_connection(pg);
    if (connection == NULL) {
        refuse(pg, query, PG_UNAVAILABLE);
        return;
    }
    if (!pg_connection_send(connection, query, sql, parameter_count, parameters)) {
        refuse(pg, query, PG_FAILED);
        return;
    }
    heap_update(&pg->deadlines, &query->deadline, clock_monotonic_ms() + timeout_ms);
    if (heap_first(&pg->deadlines) == &query->deadline)
        arm_deadline_timer(pg);
}

static struct pg_query *make_query(pg_result_cb *callback, void *context)
{
    ASSERT(callback != NULL);
    struct pg_query *query = mem_alloc(sizeof(*query));
    query->callback = callback;
    query->context = context;
    return query;
}

void pg_query(struct pg *pg, const char *sql, size_t parameter_count, const char *const *parameters,
              uint32_t timeout_ms, pg_result_cb *callback, void *context)
{
    send_query(pg, make_query(callback, context), sql, parameter_count, parameters, timeout_ms);
}

void pg_query_prepared(struct pg *pg, const char *sql, size_t parameter_count, const char *const *parameters,
                       uint32_t timeout_ms, pg_result_cb *callback, void *context)
{
    struct pg_query *query = make_query(callback, context);
    query->prepared = sql;
    send_query(pg, query, sql, parameter_count, parameters, timeout_ms);
}

/* --- results ------------------------------------------------------------------------------------------------------ */

size_t pg_row_count(const struct pg_result *result)
{
    return result == NULL ? 0 : (size_t)PQntuples(result->raw);
}

size_t pg_affected(const struct pg_result *result)
{
    return result == NULL ? 0 : (size_t)strtoull(PQcmdTuples(result->raw), NULL, 10);
}

const char *pg_value(const struct pg_result *result, size_t row, size_t column)
{
    ASSERT(row < pg_row_count(result) && column < (size_t)PQnfields(result->raw));
    if (PQgetisnull(result->raw, (int)row, (int)column))
        return NULL;
    return PQgetvalue(result->raw, (int)row, (int)column);
}

static int nibble(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* bytea_output = hex, the default: "\x0a0b" */
void *pg_value_bytes(const struct pg_result *result, size_t row, size_t column, size_t *length_r)
{
    const char *text = pg_value(result, row, column);
    *length_r = 0;
    if (text == NULL || text[0] != '\\' || text[1] != 'x')
        return NULL;
    size_t length = strlen(text + 2) / 2;
    unsigned char *bytes = mem_alloc(length + 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(nibble(text[2 + 2 * i]) << 4 | nibble(text[3 + 2 * i]));
    *length_r = length;
    return bytes;
}

const char *number_text(char text[NUMBER_SIZE], int64_t value)
{
    snprintf(text, NUMBER_SIZE, "%lld", (long long)value);
    return text;
}

int64_t pg_value_int(const struct pg_result *result, size_t row, size_t column)
{
    const char *text = pg_value(result, row, column);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

const char *pg_sqlstate(const struct pg_result *result)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result->raw, PG_DIAG_SQLSTATE);
    return state == NULL ? "" : state;
}
