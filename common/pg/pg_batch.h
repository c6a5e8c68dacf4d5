#ifndef HANSOM_PG_BATCH_H
#define HANSOM_PG_BATCH_H
/*
 * Items that are gathered for a moment and written by one statement. A batch is written again, as it is, until it is
 * known to be committed: the statement must bear that. One batch at a time; what comes meanwhile waits for the next
 * one.
 */
#include "base/list.h"
#include "pg/pg.h"

struct pg_batch;

struct pg_batch_config {
    uv_loop_t *loop;
    const char *name; /* a literal, for the log line of a refused statement */
    size_t limit;     /* items in one statement at most */
    uint64_t linger_ms;
    /* Sends the statement for these items; the query's callback ends with pg_batch_written. */
    void (*write)(void *context, const struct list_node *items);
    /* The item, unlinked, is committed, or (destroyed before that) will not be. It belongs to the callee. */
    void (*end)(void *context, struct list_node *item, bool is_committed);
    void *context;
};

struct pg_batch *pg_batch_create(const struct pg_batch_config *config);
/* Ends all items with false. Clears the pointer; NULL is allowed. Needs one more turn of the loop; no callback of a
 * query may come afterwards (destroy the pg first). */
void pg_batch_destroy(struct pg_batch **batch);
void pg_batch_add(struct pg_batch *batch, struct list_node *item);
/* From now on nothing lingers (drain). */
void pg_batch_hurry(struct pg_batch *batch);
void pg_batch_written(struct pg_batch *batch, enum pg_status status, const struct pg_result *result);
/* Items that are not committed yet. */
size_t pg_batch_count(const struct pg_batch *batch);

#endif
