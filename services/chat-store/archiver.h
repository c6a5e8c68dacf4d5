#ifndef HANSOM_ARCHIVER_H
#define HANSOM_ARCHIVER_H
/*
 * Stream CHAT into chat.items: pulls, gathers, writes one batch per transaction, acknowledges after the commit.
 * Whatever is not known to be committed is written again; the table's keys make that harmless.
 */
#include "chat_store.h"

struct archiver *archiver_create(struct chat_store *store);
void archiver_destroy(struct archiver **archiver);
void archiver_bus_state(struct archiver *archiver, enum bus_state state);
void archiver_pg_state(struct archiver *archiver, bool is_connected);
/* Takes nothing new and writes what is here. */
void archiver_drain(struct archiver *archiver);
bool archiver_is_idle(const struct archiver *archiver);

#endif
