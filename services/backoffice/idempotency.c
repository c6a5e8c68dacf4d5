#include "idempotency.h"

#include "auth/auth.h"
#include "backoffice.h"
#include "base/clock.h"
#include "log/log.h"
#include "routes.h"
#include "seal.h"

/* After this long an attempt without an answer counts as cut off. */
#define ATTEMPT_MAX_MS "30000"

struct guard {
    struct backoffice *app;
    struct exchange *exchange;
    void (*handle)(struct backoffice *app, struct exchange *exchange);
    char request_sha256[65];
};

static const char *route_name(const struct exchange *exchange)
{
    return route_names[exchange->route - routes];
}

/* --- the first answer is kept ------------------------------------------------------------------------------------- */

static void on_kept(void *context, enum pg_status status, const struct pg_result *result)
{
    struct exchange *exchange = context;
    if (status != PG_OK)
        LOG_WARN("idempotency_not_kept", LOG_STR("request_id", exchange->request_id),
                 LOG_STR("sqlstate", pg_sqlstate(result)));
    exchange_send(exchange);
}

static void keep_answer(struct exchange *exchange)
{
    struct guard *guard = exchange->before_send_context;
    char status[16];
    snprintf(status, sizeof(status), "%u", exchange->status);
    struct strbuf sealed;
    strbuf_init(&sealed, 1024);
    seal(guard->app->secrets.sealer, exchange->idempotency_key, &exchange->answer, &sealed);
    const char *const parameters[] = {exchange->idempotency_key, route_name(exchange), status, sealed.data};
    pg_query(guard->app->pg,
             "UPDATE idempotency_keys SET status = $3::integer, sealed_response = $4 WHERE key = $1 AND route = $2",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(guard->app), on_kept, exchange);
    strbuf_finish(&sealed);
}

static void forget_key(struct exchange *exchange)
{
    struct guard *guard = exchange->before_send_context;
    const char *const parameters[] = {exchange->idempotency_key, route_name(exchange)};
    pg_query(guard->app->pg, "DELETE FROM idempotency_keys WHERE key = $1 AND route = $2 AND status IS NULL",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(guard->app), on_kept, exchange);
}

static void before_send(struct exchange *exchange)
{
    if (exchange->status < 300)
        keep_answer(exchange);
    else
        forget_key(exchange);
}

/* --- is it the first? --------------------------------------------------------------------------------------------- */

static void replay(struct guard *guard, const struct pg_result *result)
{
    struct exchange *exchange = guard->exchange;
    if (seal_open(guard->app->secrets.sealer, exchange->idempotency_key, pg_value(result, 0, 2), &exchange->answer))
        exchange_reply(exchange, (unsigned)pg_value_int(result, 0, 1));
    else
        exchange_fail(exchange, ERROR_conflict, "Idempotency-Key: its first answer cannot be given again");
}

static void on_found(void *context, enum pg_status status, const struct pg_result *result)
{
    struct guard *guard = context;
    struct exchange *exchange = guard->exchange;
    if (status != PG_OK)
        exchange_unavailable(exchange, "the database is not available");
    else if (pg_row_count(result) == 0)
        exchange_unavailable(exchange, "Idempotency-Key: try again");
    else if (!str_equal(pg_value(result, 0, 0), guard->request_sha256))
        exchange_fail(exchange, ERROR_conflict, "Idempotency-Key: was used for another request");
    else if (pg_value(result, 0, 1) == NULL)
        exchange_unavailable(exchange, "Idempotency-Key: the first request is still under way");
    else
        replay(guard, result);
}

static void find(struct guard *guard)
{
    const struct exchange *exchange = guard->exchange;
    const char *const parameters[] = {exchange->idempotency_key, route_name(exchange)};
    pg_query(guard->app->pg,
             "SELECT request_sha256, status, sealed_response FROM idempotency_keys WHERE key = $1 AND route = $2",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(guard->app), on_found, guard);
}

static void on_claimed(void *context, enum pg_status status, const struct pg_result *result)
{
    struct guard *guard = context;
    struct exchange *exchange = guard->exchange;
    if (status != PG_OK) {
        exchange_unavailable(exchange, "the database is not available");
    } else if (pg_row_count(result) == 0) {
        find(guard);
    } else {
        exchange->before_send = before_send;
        exchange->before_send_context = guard;
        guard->handle(guard->app, exchange);
    }
}

/* Of what stands for {id} and of the body. */
static void hash_request(struct guard *guard)
{
    struct strbuf request;
    strbuf_init(&request, 256);
    if (*guard->exchange->id != '\0')
        strbuf_appendf(&request, "%s\n", guard->exchange->id);
    strbuf_append(&request, guard->exchange->body.data, guard->exchange->body.length);
    sha256_hex(request.data, request.length, guard->request_sha256);
    strbuf_finish(&request);
}

void idempotency_guard(struct backoffice *app, struct exchange *exchange,
                       void (*handle)(struct backoffice *app, struct exchange *exchange))
{
    struct guard *guard = exchange_alloc(exchange, sizeof(*guard));
    *guard = (struct guard){.app = app, .exchange = exchange, .handle = handle};
    hash_request(guard);
    char now_ms[NUMBER_SIZE];
    number_text(now_ms, clock_wall_ms());
    const char *const parameters[] = {exchange->idempotency_key, route_name(exchange), guard->request_sha256, now_ms};
    pg_query(app->pg,
             "INSERT INTO idempotency_keys AS k (key, route, request_sha256, created_at_ms) "
             "VALUES ($1, $2, $3, $4::bigint) ON CONFLICT (key, route) DO UPDATE "
             "SET created_at_ms = EXCLUDED.created_at_ms "
             "WHERE k.status IS NULL AND k.request_sha256 = EXCLUDED.request_sha256 "
             "AND k.created_at_ms < EXCLUDED.created_at_ms - " ATTEMPT_MAX_MS " RETURNING 1",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(app), on_claimed, guard);
}
