#ifndef HANSOM_USER_WATCH_H
#define HANSOM_USER_WATCH_H
/* What happens to users elsewhere and concerns sessions here: revocation, a new policy, another device of a driver. */
#include "gateway.h"

/* cut_off: the user's entry of bucket "sessions". Was this token issued before it? */
bool user_watch_is_revoked(const struct principal *principal, const struct bus_message *cut_off);

void user_watch_start(struct gateway *gateway);
void user_watch_stop(struct gateway *gateway);

#endif
