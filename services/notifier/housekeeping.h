#ifndef HANSOM_NOTIFIER_HOUSEKEEPING_H
#define HANSOM_NOTIFIER_HOUSEKEEPING_H
/* What is done now and then: the ledger's retention, and the gauges that only the database knows. */
#include "notifier.h"

struct housekeeping *housekeeping_create(struct notifier *app);
/* After the pg: no answer may come to it. */
void housekeeping_destroy(struct housekeeping **housekeeping);

#endif
