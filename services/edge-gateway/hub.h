#ifndef HANSOM_HUB_H
#define HANSOM_HUB_H
/*
 * Channels with local subscribers: one bus subscription each, one JSON frame per item shared by all of them. A position
 * waits in its subscription's slot, where a newer one replaces it; max_rate holds it back until its deadline.
 * Everything else keeps its order in the session's outbox.
 */
#include "channel_items.h"
#include "session.h"

struct channel;

struct subscription {
    struct list_node in_session, in_channel, in_slots, in_booking;
    struct session *session;
    struct channel *channel; /* NULL until it is live */
    struct channel_name name;
    struct booking_entry *booking; /* whose rights it lives by; NULL: by none */
    struct flow *flow;             /* the subscribe that is under way; NULL afterwards */
    bool is_replied;               /* items wait until the reply has gone out */
    bool has_max_rate;
    double max_rate;  /* per second, 0 = paused */
    uint64_t sent_ms; /* when the last position went to the outbox, 0 = none yet */
    struct heap_node deadline;
    struct frame *slot; /* the newest position not sent yet */
    int64_t slot_received_ms;
    struct outbox held; /* ordered items that came before the reply */
};

struct hub *hub_create(struct gateway *gateway);
/* No subscription may be left. */
void hub_destroy(struct hub **hub);
/* Subscriptions of the bookings: after a change, take away what is no longer allowed. */
void hub_booking_changed(struct booking_entry *entry);
/* After the bus was away: every viewer gets the newest position, every reader what it missed. */
void hub_refresh(struct hub *hub);
size_t hub_channel_count(const struct hub *hub);

struct subscription *subscription_find(struct session *session, const char *channel);
/* In the session's list, not live yet. */
struct subscription *subscription_create(struct session *session, const struct channel_name *name);
/* Live: items come from now on, into the slot or held back until subscription_replied. */
void subscription_attach(struct subscription *subscription);
/* Has something come live before the reply? Then it is at least as new as what is retained. */
bool subscription_has_news(const struct subscription *subscription);
/* Has something come live whose predecessor is behind `sequence`? Then what was read does not reach up to it yet. */
bool subscription_misses(const struct subscription *subscription, uint64_t sequence);
/* The reply is in the outbox, with the history up to `sequence` (0: there is none): what came meanwhile follows. */
void subscription_replied(struct subscription *subscription, uint64_t sequence);
/* The newest stored item that has come by on this channel, 0: unknown, or there is none. */
uint64_t subscription_position(const struct subscription *subscription);
/* Tells the client that it may have missed something: reason "gap" or "overflow". */
void subscription_resync(struct subscription *subscription, const char *reason);
/* Out of everything, without a word to the client. */
void subscription_end(struct subscription *subscription);
/* The same with an `unsubscribed` frame. */
void subscription_revoke(struct subscription *subscription, const char *code);
void subscription_set_rate(struct subscription *subscription, bool has_max_rate, double max_rate);
/* Moves the positions that may go now from the slots to the outbox. */
void subscriptions_take_slots(struct session *session);
/* What came due by max_rate. */
void hub_run_rates(struct hub *hub, uint64_t now_ms);

/* Tells presence how many watch each driver here: what changed, and all of it every VIEWERS_REPEAT_MS. */
void hub_report_viewers(struct hub *hub, uint64_t now_ms);

#endif
