#ifndef HANSOM_PG_H
#define HANSOM_PG_H
/*
 * PostgreSQL on the loop: one connection in pipeline mode per pool slot, queries by text with parameters, callbacks on
 * the loop's thread. Connections are made again with jitter when they are lost; a query's outcome is one of three.
 */
#include <uv.h>

#include "base/base.h"

struct pg;
struct pg_result; /* rows, valid during the callback */

enum pg_status {
    PG_OK,
    PG_FAILED,      /* the server said no, or it was never sent: nothing has happened */
    PG_UNCERTAIN,   /* the connection was lost, or the deadline passed, after it was sent: it may have happened */
    PG_UNAVAILABLE, /* not connected: nothing has happened */
};
typedef void pg_result_cb(void *context, enum pg_status status, const struct pg_result *result);
typedef void pg_state_cb(void *context, bool is_connected);

/* url: postgresql://…; connections 1..64. Starts connecting in the background. NULL with *error_r (mem_free). */
struct pg *pg_create(uv_loop_t *loop, const char *url, unsigned connections, char **error_r);
/* Queries under way get no callback. Clears the pointer; NULL is allowed. Needs one more turn of the loop. */
void pg_destroy(struct pg **pg);
/* Right after pg_create: plans are made once and without looking at the parameters (plan_cache_mode), for a pool whose
 * statements need no other. Otherwise the server may plan a prepared statement anew each time. */
void pg_plan_once(struct pg *pg);
bool pg_is_connected(const struct pg *pg);
void pg_on_state(struct pg *pg, pg_state_cb *callback, void *context);

/*
 * One statement in its own transaction (or a data-modifying CTE). Text parameters, NULL = SQL null. The callback always
 * comes exactly once, never before this returns. result is NULL unless PG_OK or PG_FAILED.
 */
void pg_query(struct pg *pg, const char *sql, size_t parameter_count, const char *const *parameters,
              uint32_t timeout_ms, pg_result_cb *callback, void *context);

/* The same for a statement that comes often: each connection has the server parse it once. sql must live as long as the
 * pool. */
void pg_query_prepared(struct pg *pg, const char *sql, size_t parameter_count, const char *const *parameters,
                       uint32_t timeout_ms, pg_result_cb *callback, void *context);

#define NUMBER_SIZE 24
/* Decimal text, for a parameter. */
const char *number_text(char text[NUMBER_SIZE], int64_t value);

size_t pg_row_count(const struct pg_result *result);
/* Rows that an INSERT, UPDATE or DELETE touched. */
size_t pg_affected(const struct pg_result *result);
/* NULL for SQL null; text valid during the callback. */
const char *pg_value(const struct pg_result *result, size_t row, size_t column);
/* A bytea; mem_free; NULL for SQL null. */
void *pg_value_bytes(const struct pg_result *result, size_t row, size_t column, size_t *length_r);
int64_t pg_value_int(const struct pg_result *result, size_t row, size_t column);
/* SQLSTATE ("23505") and message of a failure; "" if there is none. The message may hold data: not for logs. */
const char *pg_sqlstate(const struct pg_result *result);

#endif
