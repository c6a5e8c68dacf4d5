#ifndef HANSOM_USER_WATCH_H
#define HANSOM_USER_WATCH_H
/* What happens to users elsewhere and concerns sessions here: revocation, a new policy, another device of a driver. */
#include "gateway.h"

void user_watch_start(struct gateway *gateway);
void user_watch_stop(struct gateway *gateway);

#endif
