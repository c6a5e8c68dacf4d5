#include "dispatch.h"

/* An acknowledgement of user events has no answer. What it stops, the ladder of push and SMS, is not part of this
 * version, so there is nothing to tell anybody; a channel that has no acknowledgements is the client's mistake. */
void handle_ack(struct session *session, const struct client_frame *frame)
{
    struct channel_name channel;
    if (channel_parse(frame->channel, strlen(frame->channel), &channel) && channel.kind == CHANNEL_EVENTS)
        return;
    session_send_error(session, frame->id, ERROR_bad_request, "channel: only user events are acknowledged", 0);
}
