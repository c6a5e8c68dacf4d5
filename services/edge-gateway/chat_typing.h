#ifndef HANSOM_CHAT_TYPING_H
#define HANSOM_CHAT_TYPING_H
/* "is typing": never stored, passed on at most so often, ended by itself when nothing more is heard. */
#include "session.h"

/* False while the bus is away. */
MUST_CHECK bool chat_typing_set(struct session *session, const char *booking_id, bool is_typing);
/* The message is out, or the session over. */
void chat_typing_end(struct session *session);

#endif
