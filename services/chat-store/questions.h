#ifndef HANSOM_QUESTIONS_H
#define HANSOM_QUESTIONS_H
/* What other services ask of the archive: rpc.chat.*, shared by all replicas through a queue group. */
#include "chat_store.h"

struct questions *questions_create(struct chat_store *store);
void questions_destroy(struct questions **questions);
/* Takes no new ones (drain). */
void questions_stop(struct questions *questions);
bool questions_is_idle(const struct questions *questions);

#endif
