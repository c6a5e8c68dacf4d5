#include "base/clock.h"
#include "dispatch.h"
#include "hub.h"

static struct subscription *first_not_covered(struct session *session)
{
    LIST_EACH(&session->subscriptions, node)
    {
        struct subscription *subscription = CONTAINER_OF(node, struct subscription, in_session);
        if (!principal_may(session->principal, "subscribe", subscription->name.text))
            return subscription;
    }
    return NULL;
}

static void replace_principal(struct session *session, struct principal *fresh)
{
    principal_unref(&session->principal);
    session->principal = fresh;
    session->is_expiry_announced = false;
    session_arm_expiry(session);
    for (struct subscription *lost; session->state < SESSION_CLOSING && (lost = first_not_covered(session)) != NULL;)
        subscription_revoke(lost, "forbidden");
}

void handle_refresh(struct session *session, const struct client_frame *frame)
{
    struct gateway *gateway = session->gateway;
    const char *why;
    int64_t now_ms = clock_wall_ms();
    struct principal *fresh =
        token_cache_verify(gateway->tokens, gateway->keys, frame->token, strlen(frame->token), now_ms, &why);
    if (fresh == NULL) {
        session_send_error(session, frame->id, ERROR_unauthorized, "the token is not valid", 0);
        return;
    }
    if (!str_equal(fresh->user_id, session->principal->user_id) || fresh->role != session->principal->role) {
        principal_unref(&fresh);
        session_send_error(session, frame->id, ERROR_forbidden, "token: of another user or role", 0);
        return;
    }
    /* What is in force outlived every revocation; an older token might not have. */
    if (fresh->issued_at_ms < session->principal->issued_at_ms) {
        principal_unref(&fresh);
        session_send_error(session, frame->id, ERROR_unauthorized, "token: older than the one in force", 0);
        return;
    }
    struct reply reply;
    reply_begin(&reply, frame->id);
    json_kv_int(&reply.json, "expires_in_ms", fresh->expires_at_ms - now_ms);
    reply_send(&reply, session);
    if (session->state >= SESSION_CLOSING)
        principal_unref(&fresh);
    else
        replace_principal(session, fresh);
}
