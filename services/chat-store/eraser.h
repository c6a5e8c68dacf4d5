#ifndef HANSOM_ERASER_H
#define HANSOM_ERASER_H
/*
 * Forgets what users wrote: their items are taken out of the stream and emptied in the archive, a few at a time, until
 * none is left. A request stays in chat.erasures until the archive has caught up with everything sent before it.
 */
#include "chat_store.h"

struct eraser *eraser_create(struct chat_store *store);
void eraser_destroy(struct eraser **eraser);
/* There may be something to do. */
void eraser_wake(struct eraser *eraser);

#endif
