#ifndef HANSOM_HOUSEKEEPING_H
#define HANSOM_HOUSEKEEPING_H
/* What is done now and then: partitions ahead of time, retention, and the gauges that only the database knows. */
#include "chat_store.h"
#include "pg/pg_job.h"

struct pg_job *housekeeping_create(struct chat_store *store);

#endif
