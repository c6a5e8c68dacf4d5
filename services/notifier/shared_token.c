#include "shared_token.h"

#include <stdio.h>

#include "base/clock.h"
#include "log/log.h"
#include "pg/pg.h"

#define CHECK_MS 5000
#define FETCH_MS 50 /* while there is none: the database is about to be connected */

struct shared_tokens {
    uv_loop_t *loop;
    struct pg *pg;
    uint32_t query_timeout_ms;
};

struct shared_token {
    struct shared_tokens *tokens;
    char *name, *value; /* value: NULL while there is none */
    int64_t issued_ms;
    uint64_t renew_after_ms;
    shared_token_make *make;
    void *context;
    uv_timer_t timer;
    bool is_busy;
};

/* The offered one wins when there is none, or one that is too old; the second SELECT is for when it did not.
 * Parameters: name, offered token, now, the oldest issue that is still good. */
static const char offer_sql[] =
    "WITH won AS (INSERT INTO notify.provider_tokens AS p (name, token, issued_ms) VALUES ($1, $2, $3::bigint) "
    "ON CONFLICT (name) DO UPDATE SET token = excluded.token, issued_ms = excluded.issued_ms "
    "WHERE p.issued_ms < $4::bigint RETURNING token, issued_ms) "
    "SELECT token, issued_ms FROM won UNION ALL SELECT token, issued_ms FROM notify.provider_tokens WHERE name = $1 "
    "AND NOT EXISTS (SELECT FROM won)";

static void free_token(struct shared_token *token)
{
    mem_free(token->name);
    mem_free(token->value);
    mem_free(token);
}

static void on_offered(void *context, enum pg_status status, const struct pg_result *result)
{
    struct shared_token *token = context;
    token->is_busy = false;
    if (status != PG_OK || pg_row_count(result) == 0) {
        LOG_WARN("token_not_shared", LOG_STR("token", token->name), LOG_STR("sqlstate", pg_sqlstate(result)));
        return;
    }
    mem_free(token->value);
    token->value = mem_strdup(pg_value(result, 0, 0));
    token->issued_ms = pg_value_int(result, 0, 1);
}

static void offer(struct shared_token *token)
{
    char now[NUMBER_SIZE], oldest[NUMBER_SIZE];
    int64_t now_ms = clock_wall_ms();
    if (token->is_busy || !pg_is_connected(token->tokens->pg))
        return;
    char *made = token->make(token->context, now_ms);
    if (made == NULL) {
        LOG_ERROR("token_not_made", LOG_STR("token", token->name));
        return;
    }
    const char *const parameters[] = {token->name, made, number_text(now, now_ms),
                                      number_text(oldest, now_ms - (int64_t)token->renew_after_ms)};
    token->is_busy = true;
    pg_query(token->tokens->pg, offer_sql, ARRAY_LEN(parameters), parameters, token->tokens->query_timeout_ms,
             on_offered, token);
    mem_free(made);
}

static void on_timer(uv_timer_t *timer)
{
    struct shared_token *token = timer->data;
    uv_timer_set_repeat(timer, token->value == NULL ? FETCH_MS : CHECK_MS);
    if (token->value == NULL || clock_wall_ms() - token->issued_ms >= (int64_t)token->renew_after_ms)
        offer(token);
}

struct shared_token *shared_token_create(struct shared_tokens *tokens, const char *name, uint64_t renew_after_ms,
                                         shared_token_make *make, void *context)
{
    struct shared_token *token = mem_alloc(sizeof(*token));
    token->tokens = tokens;
    token->name = mem_strdup(name);
    token->renew_after_ms = renew_after_ms;
    token->make = make;
    token->context = context;
    uv_timer_init(tokens->loop, &token->timer);
    token->timer.data = token;
    uv_timer_start(&token->timer, on_timer, 0, FETCH_MS);
    return token;
}

const char *shared_token_get(struct shared_token *token)
{
    if (token->value == NULL)
        offer(token);
    return token->value;
}

/* Another instance may have a newer one; ours stays until an answer says so. */
void shared_token_refused(struct shared_token *token)
{
    offer(token);
}

static void on_closed(uv_handle_t *handle)
{
    free_token(handle->data);
}

void shared_token_destroy(struct shared_token **token_pointer)
{
    struct shared_token *token = *token_pointer;
    *token_pointer = NULL;
    if (token != NULL)
        uv_close((uv_handle_t *)&token->timer, on_closed);
}

struct shared_tokens *shared_tokens_create(uv_loop_t *loop, struct pg *pg, uint32_t query_timeout_ms)
{
    struct shared_tokens *tokens = mem_alloc(sizeof(*tokens));
    *tokens = (struct shared_tokens){loop, pg, query_timeout_ms};
    return tokens;
}

void shared_tokens_destroy(struct shared_tokens **tokens)
{
    mem_free(*tokens);
    *tokens = NULL;
}
