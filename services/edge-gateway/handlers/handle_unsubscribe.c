#include "dispatch.h"
#include "hub.h"

/* Of a channel that is not subscribed to: the same answer, it is what was wanted. */
void handle_unsubscribe(struct session *session, const struct client_frame *frame)
{
    struct subscription *subscription = subscription_find(session, frame->channel);
    if (subscription != NULL)
        subscription_end(subscription);
    reply_empty(session, frame->id);
}
