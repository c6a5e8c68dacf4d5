#ifndef HANSOM_CHAT_STORE_ITEM_H
#define HANSOM_CHAT_STORE_ITEM_H
/* Writing to a chat: stamps and stores. */
#include "gateway.h"

/* Longer than any key that names an item: "<booking>.<item id>". */
#define CHAT_KEY_SIZE (ID_SIZE + CHAT_ITEM_ID_SIZE)

/* The booking as it is, and its id. Strings stay the booking's. */
void chat_stamp_booking(Hansom__ChatItem *item, const Hansom__Booking *booking);
/* Stores a message, edit, deletion or system item; its message_id makes it idempotent within the stream's window. */
struct bus_request *chat_store_item(struct bus *bus, const Hansom__ChatItem *item, bus_ack_cb *callback, void *context);
/* "support has joined", once per ten minutes and person. */
struct bus_request *chat_announce_support(struct bus *bus, const Hansom__Booking *booking,
                                          const struct principal *principal, bus_ack_cb *callback, void *context);

#endif
