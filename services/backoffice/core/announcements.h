#ifndef HANSOM_ANNOUNCEMENTS_H
#define HANSOM_ANNOUNCEMENTS_H
/*
 * What a change of a booking is to be told: a line in its chat when the status changes, booking_status_changed to its
 * client and driver, assignment_offer to a driver who gets it, assignment_withdrawn to one who loses it. Pure. The ids
 * follow from the booking and its version, so that saying it twice is saying it once.
 */
#include "base/strbuf.h"
#include "core/booking_rules.h"

#define ANNOUNCEMENTS_MAX 5
#define ANNOUNCEMENT_ID_SIZE 160

struct announcement {
    char subject[192];
    char message_id[ANNOUNCEMENT_ID_SIZE]; /* Nats-Msg-Id */
    struct strbuf payload;
};

struct announcements {
    struct announcement items[ANNOUNCEMENTS_MAX];
    size_t count;
};

/* former: NULL when it was made just now. offer_ttl_ms: an offer ends by itself after, 0: never. */
void announcements_init(struct announcements *list, const struct booking *former, const struct booking *next,
                        int64_t offer_ttl_ms);
void announcements_finish(struct announcements *list);
/* Adds any user event. */
void announcements_add_event(struct announcements *list, const Hansom__UserEvent *event);

#endif
