#ifndef HANSOM_ARCHIVE_FLOOR_H
#define HANSOM_ARCHIVE_FLOOR_H
/* Up to where the archive is complete, whichever replica wrote it: the acknowledgement floor of the shared consumer,
 * asked for many times a second. */
#include "chat_store.h"

struct archive_floor *archive_floor_create(struct chat_store *store);
void archive_floor_destroy(struct archive_floor **floor);
/* epoch 0: not known yet. Read it before asking the archive, and trust the answer only that far. */
Hansom__ArchivedUpTo archive_floor_get(const struct archive_floor *floor);
/* Nothing of the stream is waiting, as far as is known. */
bool archive_floor_is_caught_up(const struct archive_floor *floor);

#endif
