#ifndef HANSOM_CHAT_FIND_H
#define HANSOM_CHAT_FIND_H
/* An item of a chat by its id, wherever it is: in the archive, or in the part of the stream that is not archived yet
 * (all of it, while the archive is away). */
#include "gateway.h"

struct chat_find;

/* Comes once, never before chat_find_start returned; `found` is NULL when there is no such item, with status BUS_OK
 * that is certain. found->deleted_seq > 0: it was deleted. Ended by chat_find_cancel, also inside the callback. */
typedef void chat_find_cb(void *context, enum bus_status status, const Hansom__StoredChatItem *found);

/* recent_ms: what was stored less than this ago need not be found, because whoever asks will be told by the stream; 0:
 * all of it. */
struct chat_find *chat_find_start(struct gateway *gateway, const Hansom__Booking *booking, const char *message_id,
                                  uint64_t recent_ms, chat_find_cb *callback, void *context);
/* Clears the pointer; NULL is allowed. */
void chat_find_cancel(struct chat_find **find);

#endif
