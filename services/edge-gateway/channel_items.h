#ifndef HANSOM_CHANNEL_ITEMS_H
#define HANSOM_CHANNEL_ITEMS_H
/* From what the bus carries to what clients are told, kind by kind. */
#include "bus/bus.h"
#include "expiring.h"

struct channel_item {
    bool is_position;            /* may be replaced by a newer one */
    int64_t received_ms;         /* positions: when the gateway got it from the driver; chat: when it was sent */
    uint64_t sequence, previous; /* stored items; else 0 */
    char not_for[ID_SIZE];       /* this user need not be told; "": nobody */
    struct expiring expiring;    /* events: what in the text expires; whoever wrote it finishes it */
};

/* The stream that keeps the last item of a kind under the channel's name; NULL: none. */
const char *channel_retained_stream(enum channel_kind kind);
/* The stream that keeps every item of a kind, by which a reader may recover; NULL: none. */
const char *channel_history_stream(enum channel_kind kind);
/* The subject of a channel's items in that stream. */
#define CHANNEL_SUBJECT_SIZE (CHANNEL_NAME_SIZE + 4)
void channel_history_subject(const struct channel_name *name, char subject[CHANNEL_SUBJECT_SIZE]);

/* Writes the message frame into an empty buffer; epoch: of the kind's history stream. False: the bytes are no item of
 * this kind. */
MUST_CHECK bool channel_item_write(struct strbuf *out, const struct channel_name *name, uint64_t epoch,
                                   const struct bus_message *message, struct channel_item *item_r);
/* Appends the message objects (without op) that the retained item stands for. */
void channel_write_retained(struct json_writer *json, const struct channel_name *name,
                            const struct bus_message *message);
/* The head of a message object: op (if wanted), channel, and for stored items epoch, seq and prev (UNKNOWN_SEQUENCE:
 * left out). The caller adds data and ends the object. */
#define UNKNOWN_SEQUENCE UINT64_MAX
void channel_begin_message(struct json_writer *json, const struct channel_name *name, bool with_op);
void channel_write_place(struct json_writer *json, uint64_t epoch, uint64_t sequence, uint64_t previous);

#endif
