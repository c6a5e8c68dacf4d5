#ifndef HANSOM_EVENT_INTAKE_H
#define HANSOM_EVENT_INTAKE_H
/*
 * Events into the plan: gathered, and written in one transaction with the steps that are to follow. Whoever gave one is
 * told when it is committed; what is not certain is written again, which its (user, event id) makes harmless.
 */
#include "notifier.h"

struct event_intake *event_intake_create(struct notifier *app);
void event_intake_destroy(struct event_intake **intake);
/* Called once, after the commit, or when the intake is destroyed before it (is_kept false); frees the context. */
typedef void event_kept_cb(void *context, bool is_kept);
/* event is taken over (protobuf-c's allocator). epoch and sequence of stream EVENTS, 0: it does not come from there.
 * Its strings must be valid UTF-8. */
void event_intake_add(struct event_intake *intake, Hansom__UserEvent *event, uint64_t epoch, uint64_t sequence,
                      event_kept_cb *callback, void *context);
bool event_intake_is_idle(const struct event_intake *intake);

#endif
