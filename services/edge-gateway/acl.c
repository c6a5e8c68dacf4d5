#include "acl.h"

bool acl_is_staff(const struct principal *principal)
{
    return principal->role == HANSOM__ROLE__ROLE_SUPPORT || principal->role == HANSOM__ROLE__ROLE_ADMIN;
}

bool acl_needs_booking(enum channel_kind kind)
{
    return kind == CHANNEL_TRACKING || kind == CHANNEL_CHAT || kind == CHANNEL_BOOKING_PRESENCE ||
           kind == CHANNEL_DRIVER_PRESENCE;
}

static bool is_client_of(const struct principal *principal, const Hansom__Booking *booking)
{
    return principal->role == HANSOM__ROLE__ROLE_CLIENT && str_equal(principal->user_id, booking->client_id);
}

static bool is_driver_of(const struct principal *principal, const Hansom__Booking *booking)
{
    return principal->role == HANSOM__ROLE__ROLE_DRIVER && *booking->driver_id != '\0' &&
           str_equal(principal->user_id, booking->driver_id);
}

static enum acl_verdict participant(const struct principal *principal, const Hansom__Booking *booking)
{
    if (booking == NULL)
        return ACL_NOT_FOUND;
    return is_client_of(principal, booking) || is_driver_of(principal, booking) ? ACL_ALLOWED : ACL_FORBIDDEN;
}

static enum acl_verdict active_participant(const struct principal *principal, const Hansom__Booking *booking)
{
    enum acl_verdict verdict = participant(principal, booking);
    return verdict == ACL_ALLOWED && booking_status_is_ended(booking->status) ? ACL_ENDED : verdict;
}

bool acl_chat_is_open(const Hansom__Booking *booking, int64_t now_ms, int64_t grace_ms)
{
    return !booking_status_is_ended(booking->status) || now_ms < booking->ended_at_ms + grace_ms;
}

static enum acl_verdict driver_presence(const struct principal *principal, const struct channel_name *channel,
                                        const Hansom__Booking *booking)
{
    if (booking == NULL || !is_client_of(principal, booking) || !str_equal(booking->driver_id, channel->id))
        return ACL_FORBIDDEN;
    return booking_status_has_driver(booking->status) ? ACL_ALLOWED : ACL_ENDED;
}

enum acl_verdict acl_may_subscribe(const struct principal *principal, const struct channel_name *channel,
                                   const Hansom__Booking *booking)
{
    if (channel->kind == CHANNEL_HEARTBEAT)
        return ACL_FORBIDDEN;
    bool is_of_booking = acl_needs_booking(channel->kind) && channel->kind != CHANNEL_DRIVER_PRESENCE;
    if (acl_is_staff(principal))
        return is_of_booking && booking == NULL ? ACL_NOT_FOUND : ACL_ALLOWED;
    switch (channel->kind) {
    case CHANNEL_TRACKING:
    case CHANNEL_BOOKING_PRESENCE:
        return active_participant(principal, booking);
    case CHANNEL_CHAT: /* it can still be read when the ride is over */
        return participant(principal, booking);
    case CHANNEL_EVENTS:
        return str_equal(principal->user_id, channel->id) ? ACL_ALLOWED : ACL_FORBIDDEN;
    case CHANNEL_DRIVER_PRESENCE:
        return driver_presence(principal, channel, booking);
    case CHANNEL_HEARTBEAT:
    case CHANNEL_KIND_COUNT:
        break;
    }
    return ACL_FORBIDDEN;
}

static enum acl_verdict publish_tracking(const struct principal *principal, const Hansom__Booking *booking)
{
    if (booking == NULL)
        return ACL_NOT_FOUND;
    if (!is_driver_of(principal, booking))
        return ACL_FORBIDDEN;
    return booking_status_is_tracked(booking->status) ? ACL_ALLOWED : ACL_ENDED;
}

enum acl_verdict acl_may_publish(const struct principal *principal, const struct channel_name *channel,
                                 const Hansom__Booking *booking)
{
    if (channel->kind == CHANNEL_TRACKING)
        return publish_tracking(principal, booking);
    if (channel->kind == CHANNEL_HEARTBEAT)
        return principal->role == HANSOM__ROLE__ROLE_DRIVER && str_equal(principal->user_id, channel->id)
                   ? ACL_ALLOWED
                   : ACL_FORBIDDEN;
    if (channel->kind == CHANNEL_CHAT)
        return booking != NULL && acl_is_staff(principal) ? ACL_ALLOWED : participant(principal, booking);
    return ACL_FORBIDDEN;
}
