#ifndef HANSOM_CHANNEL_ITEMS_H
#define HANSOM_CHANNEL_ITEMS_H
#include "bus/bus.h"
#include "wire/wire.h"

/* The epoch of user events until streams are told apart by their making. */
#define CHANNEL_EVENTS_EPOCH "1"

struct channel_item {
    bool is_position;    /* may be replaced by a newer one */
    int64_t received_ms; /* positions: when the gateway got it from the driver, wall clock */
};

/* The stream that keeps the last item of a kind; NULL: none. The subject is the channel's name. */
const char *channel_retained_stream(enum channel_kind kind);
/* Appends the message frame; false: the bytes are no item of this kind. */
MUST_CHECK bool channel_item_write(struct strbuf *out, const struct channel_name *name,
                                   const struct bus_message *message, struct channel_item *item_r);
/* Appends the message objects (without op) that the retained item stands for. */
void channel_write_retained(struct json_writer *json, const struct channel_name *name,
                            const struct bus_message *message);

#endif
