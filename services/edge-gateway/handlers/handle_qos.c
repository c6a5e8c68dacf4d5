#include "dispatch.h"
#include "hub.h"

void handle_qos(struct session *session, const struct client_frame *frame)
{
    struct subscription *subscription = subscription_find(session, frame->channel);
    if (subscription == NULL) {
        session_send_error(session, frame->id, ERROR_not_found, "channel: not subscribed", 0);
        return;
    }
    subscription_set_rate(subscription, true, frame->max_rate);
    reply_empty(session, frame->id);
}
