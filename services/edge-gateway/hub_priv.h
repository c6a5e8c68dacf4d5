#ifndef HANSOM_HUB_PRIV_H
#define HANSOM_HUB_PRIV_H
/* Shared by hub.c and hub_recovery.c. */
#include "hub.h"

struct channel {
    struct hub *hub;
    struct channel_name name;
    struct bus_subscription *bus_subscription;
    struct list_node subscriptions;
    struct wheel_timer linger;
    struct bus_request *refresh;
    int64_t newest_ms; /* received_at_ms of the newest position that came by */
    /* What presence was told last. */
    char told_driver[ID_SIZE];
    uint32_t told_viewers;
    uint64_t told_ms;
    struct continuity *continuity; /* of channels with a history; else NULL */
};

struct hub {
    struct gateway *gateway;
    struct hashmap *channels;
    struct strbuf text; /* of the frame being made */
};

/* hub.c */
/* Makes the frame; NULL: not understood. *item_r describes it. */
struct frame *channel_make_frame(struct channel *channel, const struct bus_message *message,
                                 struct channel_item *item_r);
/* To every subscriber. */
void channel_offer(struct channel *channel, struct frame *frame, const struct channel_item *item);

/* hub_recovery.c: nothing of a channel's history is missed while it has subscribers. */
struct continuity *continuity_create(struct channel *channel);
void continuity_destroy(struct continuity **continuity);
/* A stored item came live: handed on when it is its turn, kept while what lies before it is fetched. */
void continuity_take(struct continuity *continuity, struct frame *frame, const struct channel_item *item);
/* Somebody has read the history up to here. */
void continuity_note_position(struct continuity *continuity, uint64_t sequence);
/* The bus is back: fetch what was missed, or say that it cannot be known. */
void continuity_resume(struct continuity *continuity);
/* 0: unknown, or nothing yet */
uint64_t continuity_position(const struct continuity *continuity);

#endif
