#ifndef HANSOM_THROTTLE_BUS_H
#define HANSOM_THROTTLE_BUS_H
/* The adapter between the bus and the rules: partitions, seeds from the last run, timers, what goes out. */
#include "proto/policy_settings.h"
#include "service/service.h"
#include "throttle_settings.h"

struct throttle_bus;

/* False: the reason is in error and nothing is left behind. The settings must outlive it. */
bool throttle_bus_start(struct service *service, const struct throttle_settings *settings,
                        const struct policy_settings *policy, struct throttle_bus **bus_r, struct strbuf *error);
void throttle_bus_drain(struct throttle_bus *bus);
void throttle_bus_stop(struct throttle_bus *bus);

#endif
