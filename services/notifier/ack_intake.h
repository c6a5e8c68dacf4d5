#ifndef HANSOM_ACK_INTAKE_H
#define HANSOM_ACK_INTAKE_H
/* Stream EVENT_ACKS into the plan: an acknowledged event has nothing more to come. */
#include "notifier.h"

struct ack_intake *ack_intake_create(struct notifier *app);
void ack_intake_destroy(struct ack_intake **intake);
void ack_intake_bus_state(struct ack_intake *intake, enum bus_state state);
void ack_intake_drain(struct ack_intake *intake);
bool ack_intake_is_idle(const struct ack_intake *intake);

#endif
