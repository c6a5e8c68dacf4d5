#ifndef HANSOM_STEP_RUNNER_H
#define HANSOM_STEP_RUNNER_H
/*
 * Steps that have come due become deliveries: one per device of the user, or per contact. A step is leased (its due
 * time moved on) while it is being decided, so that replicas share the work and a killed one loses nothing.
 */
#include "notifier.h"

struct step_runner *step_runner_create(struct notifier *app);
void step_runner_destroy(struct step_runner **runner);
/* Something may be due. */
void step_runner_wake(struct step_runner *runner);
/* Takes nothing new. */
void step_runner_drain(struct step_runner *runner);
bool step_runner_is_idle(const struct step_runner *runner);

#endif
