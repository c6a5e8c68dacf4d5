#include "dispatch.h"
#include "event_acks.h"

/* An acknowledgement has no answer; what is wrong with one is said, if need be later, when the channel has been asked.
 * Nobody acknowledges for somebody else: it would stop what is on its way to them. */
void handle_ack(struct session *session, const struct client_frame *frame)
{
    struct channel_name channel;
    ASSERT(channel_parse(frame->channel, strlen(frame->channel), &channel));
    if (channel.kind != CHANNEL_EVENTS)
        session_send_error(session, frame->id, ERROR_bad_request, "channel: only user events are acknowledged", 0);
    else if (!str_equal(channel.id, session->principal->user_id))
        session_send_error(session, frame->id, ERROR_forbidden, "channel: not this user's own events", 0);
    else if (!principal_may(session->principal, "subscribe", channel.text))
        session_send_error(session, frame->id, ERROR_forbidden, "channel: not in the token's scopes", 0);
    else
        event_ack_note(session, frame->id, frame->seq);
}
