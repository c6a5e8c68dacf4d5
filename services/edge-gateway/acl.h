#ifndef HANSOM_ACL_H
#define HANSOM_ACL_H
/* Who may do what on which channel, as PROTOCOL section 4 says. Pure. Scopes of the token are a second, separate gate.
 */
#include "auth/auth.h"
#include "wire/wire.h"

enum acl_verdict {
    ACL_ALLOWED,
    ACL_FORBIDDEN,
    ACL_NOT_FOUND, /* the same for a booking that is not there and one that is not this user's business */
    ACL_ENDED,     /* would be allowed if the booking had not ended */
};

/* Does the rule of this kind of channel need the booking? */
bool acl_needs_booking(enum channel_kind kind);
/* booking: NULL if there is none (or it is not needed). For driver.{id}.presence it is a live booking that joins the
 * client with the driver. */
enum acl_verdict acl_may_subscribe(const struct principal *principal, const struct channel_name *channel,
                                   const Hansom__Booking *booking);
enum acl_verdict acl_may_publish(const struct principal *principal, const struct channel_name *channel,
                                 const Hansom__Booking *booking);
/* A chat can be written to until grace_ms after the booking's end; reading it does not end. */
bool acl_chat_is_open(const Hansom__Booking *booking, int64_t now_ms, int64_t grace_ms);
/* support and admin: access is audited and needs a reason */
bool acl_is_staff(const struct principal *principal);

#endif
