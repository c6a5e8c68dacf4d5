#ifndef HANSOM_DISPATCHER_H
#define HANSOM_DISPATCHER_H
/*
 * Due deliveries to their providers. A delivery is claimed with a lease and its attempt is written in one transaction,
 * before anything is sent; what is critical is claimed first; a provider that fails is left alone by its breaker. What
 * a killed process leaves is claimed again when its lease has run out, and its attempt is then known to be uncertain.
 */
#include "notifier.h"

/* NULL with a text appended to error when a provider's settings are unusable. */
struct dispatcher *dispatcher_create(struct notifier *app, struct strbuf *error);
void dispatcher_destroy(struct dispatcher **dispatcher);
/* Something may be due. */
void dispatcher_wake(struct dispatcher *dispatcher);
/* It was connected, or is again: outcomes that waited for it are written before anything is claimed. */
void dispatcher_database_is_back(struct dispatcher *dispatcher);
/* Begins nothing new. */
void dispatcher_drain(struct dispatcher *dispatcher);
/* Nothing is under way or unrecorded. */
bool dispatcher_is_idle(const struct dispatcher *dispatcher);

#endif
