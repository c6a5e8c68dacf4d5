#include "chat_store_item.h"

#include "base/clock.h"
#include "proto/subjects.h"

#define ANNOUNCE_EVERY_MS 600000

void chat_stamp_booking(Hansom__ChatItem *item, const Hansom__Booking *booking)
{
    item->booking_id = booking->booking_id;
    item->booking_created_at_ms = booking->created_at_ms;
    item->client_id = booking->client_id;
    item->driver_id = booking->driver_id;
}

struct bus_request *chat_store_item(struct bus *bus, const Hansom__ChatItem *item, bus_ack_cb *callback, void *context)
{
    char subject[SUBJECT_SIZE], key[CHAT_KEY_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_CHAT, item->booking_id);
    snprintf(key, sizeof(key), "%s.%s", item->booking_id, item->message_id);
    struct strbuf bytes;
    strbuf_init(&bytes, 512);
    MESSAGE_PACK(&bytes, item);
    struct bus_request *request = bus_store(bus, subject, key, BUS_ANY_REVISION, bytes.data, bytes.length,
                                            GATEWAY_REQUEST_TIMEOUT_MS, callback, context);
    strbuf_finish(&bytes);
    return request;
}

struct bus_request *chat_announce_support(struct bus *bus, const Hansom__Booking *booking,
                                          const struct principal *principal, bus_ack_cb *callback, void *context)
{
    int64_t now_ms = clock_wall_ms();
    char id[CHAT_ITEM_ID_SIZE];
    snprintf(id, sizeof(id), "joined.%s.%lld", principal->user_id, (long long)(now_ms / ANNOUNCE_EVERY_MS));
    Hansom__ChatItem item = HANSOM__CHAT_ITEM__INIT;
    chat_stamp_booking(&item, booking);
    item.kind = HANSOM__CHAT_KIND__CHAT_KIND_SYSTEM;
    item.event = HANSOM__CHAT_EVENT__CHAT_EVENT_SUPPORT_JOINED;
    item.message_id = id;
    item.from_id = (char *)principal->user_id;
    item.from_role = (Hansom__Role)principal->role;
    item.sent_at_ms = now_ms;
    return chat_store_item(bus, &item, callback, context);
}
