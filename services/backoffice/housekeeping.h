#ifndef HANSOM_HOUSEKEEPING_H
#define HANSOM_HOUSEKEEPING_H
/* Deletes what has expired: idempotency keys, and sessions whose last refresh token has. */
#include "pg/pg_job.h"

struct backoffice;

struct pg_job *housekeeping_create(struct backoffice *app);

#endif
