#ifndef HANSOM_ANNOUNCER_H
#define HANSOM_ANNOUNCER_H
/* Tells presence who is connected here, that this gateway lives, and how many watch which driver. */
#include "session.h"

struct announcer *announcer_create(struct gateway *gateway);
void announcer_destroy(struct announcer **announcer);
void announcer_opened(struct announcer *announcer, const struct session *session);
void announcer_closed(struct announcer *announcer, const struct session *session, Hansom__ConnectionEvent event);
/* All sessions of one partition, or of all (PARTITION_COUNT), again. */
void announcer_repeat(struct announcer *announcer, uint32_t partition);

#endif
