#ifndef HANSOM_HOUSEKEEPING_H
#define HANSOM_HOUSEKEEPING_H
/* What is done now and then: partitions ahead of time, retention, and the gauges that only the database knows. */
#include "chat_store.h"

struct housekeeping *housekeeping_create(struct chat_store *store);
void housekeeping_destroy(struct housekeeping **housekeeping);
/* The database is back. */
void housekeeping_wake(struct housekeeping *housekeeping);

#endif
