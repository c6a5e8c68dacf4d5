#ifndef HANSOM_EVENT_PULLER_H
#define HANSOM_EVENT_PULLER_H
/* Stream EVENTS into the plan; acknowledged to the stream when it is kept. */
#include "notifier.h"

struct event_puller *event_puller_create(struct notifier *app);
void event_puller_destroy(struct event_puller **puller);
void event_puller_bus_state(struct event_puller *puller, enum bus_state state);
/* Takes nothing new. */
void event_puller_drain(struct event_puller *puller);

#endif
