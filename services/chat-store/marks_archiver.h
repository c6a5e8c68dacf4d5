#ifndef HANSOM_MARKS_ARCHIVER_H
#define HANSOM_MARKS_ARCHIVER_H
/* Receipts of stream CHAT_MARKS into chat.marks: one row per participant, which only ever grows. */
#include "chat_store.h"

struct marks_archiver *marks_archiver_create(struct chat_store *store);
void marks_archiver_destroy(struct marks_archiver **marks);
void marks_archiver_bus_state(struct marks_archiver *marks, enum bus_state state);
void marks_archiver_drain(struct marks_archiver *marks);
bool marks_archiver_is_idle(const struct marks_archiver *marks);

#endif
