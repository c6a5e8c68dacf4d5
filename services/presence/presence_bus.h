#ifndef HANSOM_PRESENCE_BUS_H
#define HANSOM_PRESENCE_BUS_H
/* The adapter between the bus and the rules of presence. */
#include "presence_settings.h"
#include "proto/policy_settings.h"
#include "service/service.h"

struct presence_bus;

/* False: the reason is in error and nothing is left behind. The settings must outlive it. */
bool presence_bus_start(struct service *service, const struct presence_settings *settings,
                        const struct policy_settings *policy, struct presence_bus **bus_r, struct strbuf *error);
void presence_bus_drain(struct presence_bus *bus);
void presence_bus_stop(struct presence_bus *bus);

#endif
