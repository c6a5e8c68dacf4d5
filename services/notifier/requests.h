#ifndef HANSOM_REQUESTS_H
#define HANSOM_REQUESTS_H
/* What other services ask (requests.def), shared by all replicas through a queue group. */
#include "notifier.h"

struct requests *requests_create(struct notifier *app);
void requests_destroy(struct requests **requests);
/* Takes no new ones (drain). */
void requests_stop(struct requests *requests);
bool requests_are_idle(const struct requests *requests);

#endif
