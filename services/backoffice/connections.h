#ifndef HANSOM_CONNECTIONS_H
#define HANSOM_CONNECTIONS_H
/* The connections to PostgreSQL (its tables brought up to date first, when that is set) and to NATS. */
#include "base/base.h"

struct backoffice;

/* Sets app->pg and app->bus. False with *error_r (mem_free); connections_close undoes what was done. */
MUST_CHECK bool connections_open(struct backoffice *app, char **error_r);
/* From now on readiness and metrics follow their state. */
void connections_watch(struct backoffice *app);
void connections_close(struct backoffice *app);

#endif
