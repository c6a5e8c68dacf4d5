#ifndef HANSOM_CHAT_WATCH_H
#define HANSOM_CHAT_WATCH_H
/*
 * Chat messages to somebody who has no connection become events of type chat_message, without their text: presence is
 * asked, and no answer counts as "not there".
 */
#include "notifier.h"

struct chat_watch *chat_watch_create(struct notifier *app);
void chat_watch_destroy(struct chat_watch **watch);
void chat_watch_bus_state(struct chat_watch *watch, enum bus_state state);
void chat_watch_drain(struct chat_watch *watch);

#endif
