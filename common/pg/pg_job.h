#ifndef HANSOM_PG_JOB_H
#define HANSOM_PG_JOB_H
/* Work that comes back at an interval while the database is there: retention, and the counts that only it knows. */
#include "pg/pg.h"

struct pg_job;
typedef void pg_job_run(void *context);

/* The first time after interval_ms. A time without a connection is left out. */
struct pg_job *pg_job_create(uv_loop_t *loop, const struct pg *pg, uint64_t interval_ms, pg_job_run *run,
                             void *context);
/* The pg may be gone before it. Clears the pointer; NULL is allowed. Needs one more turn of the loop. */
void pg_job_destroy(struct pg_job **job);
/* On the next turn of the loop, and at the interval from then on. */
void pg_job_wake(struct pg_job *job);

#endif
