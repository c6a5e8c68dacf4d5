#ifndef HANSOM_REPLAY_H
#define HANSOM_REPLAY_H
/* What the two ways to replay dead letters share. */
#include "proto/bus.pb-c.h"

struct backoffice;
struct exchange;

/* Asks the notifier and answers {"replayed":N}. */
void replay_ask(struct backoffice *app, struct exchange *exchange, const Hansom__ReplayRequest *request);

#endif
