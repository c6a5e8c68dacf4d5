#ifndef HANSOM_SESSION_H
#define HANSOM_SESSION_H
/*
 * One connection of one user: its state, what it may do, what it is subscribed to and what it has yet to be sent.
 * Made by a transport, freed after the transport said session_closed.
 */
#include "base/token_bucket.h"
#include "booking_cache.h"
#include "gateway.h"
#include "outbox.h"
#include "transport.h"

enum session_state {
#define SESSION_STATE(name) SESSION_##name,
#include "session_states.def"
#undef SESSION_STATE
};

struct connect_flow;
struct event_ack;
struct publish_flow;

/* The sessions of one user in this process. */
struct user_sessions {
    struct list_node sessions;
    char user_id[ID_SIZE];
    uint64_t chat_message_ms; /* of the last one; 0: none */
};

/* The chat that a session is typing in, while the timer runs. */
struct chat_typing {
    char booking_id[ID_SIZE];
    uint64_t told_ms;
    struct wheel_timer timeout;
};

#define SESSION_PUBLISH_BOOKINGS 4

struct session {
    struct gateway *gateway;
    struct list_node in_gateway, in_dirty, in_user;
    const struct transport_ops *transport;
    void *connection;
    enum session_state state;
    char id[UUID_SIZE];
    char *handshake_token;       /* from the header or the subprotocol; NULL */
    struct principal *principal; /* from CONNECTING on */
    struct user_sessions *user;  /* from CONNECTING on */
    unsigned platform;           /* label of the metric */
    uint64_t opened_ms;
    uint64_t publisher_revision; /* drivers: our entry in bucket publishers */
    bool has_seen_own_record;    /* drivers: that entry came by; whatever comes after it supersedes us */

    struct outbox outbox;
    struct list_node slots; /* subscriptions with a position to send now */
    struct list_node subscriptions;
    uint32_t subscription_count;
    struct list_node flows;     /* struct flow: what waits for an answer of the bus */
    struct list_node chat_line; /* struct chat_flow: in the order they came */
    struct chat_typing typing;
    struct event_ack *event_ack; /* NULL: nothing was acknowledged */
    /* Bookings that this driver publishes to, most recent first. */
    struct booking_entry *publishing[SESSION_PUBLISH_BOOKINGS];

    struct token_bucket ops, publishes;
    uint32_t malformed_frames, rate_violations;
    struct strbuf early; /* frames that came while CONNECTING; data NULL while unused */
    struct wheel_timer liveness, deadline;
    enum close_reason close_reason;
    bool is_expiry_announced;
};

/* Something a session waits for; ended with the session. `cancel` undoes what is under way and frees it. */
struct flow {
    struct list_node node;
    void (*cancel)(struct flow *flow);
};

/* handshake_token is copied; may be NULL. */
struct session *session_create(struct gateway *gateway, const struct transport_ops *transport, void *connection,
                               const char *handshake_token);
/* The transport calls: one whole text message; room in the socket; it is over (code: of the peer's close
 * frame, 0 = none; was_said: the peer ended it in the orderly way). session_closed frees the session. */
void session_receive(struct session *session, const char *text, size_t length);
void session_writable(struct session *session);
void session_closed(struct session *session, int peer_code);

/* Queues one JSON object (or a made frame) in order; too much unsent closes the session as slow_consumer. */
void session_send(struct session *session, const struct strbuf *json);
void session_send_frame(struct session *session, struct frame *frame);
/* With parts that expire, which are taken over. */
void session_send_expiring(struct session *session, const struct strbuf *json, struct expiring *parts);
/* Error frame; id 0 is left out; retry_after_ms 0 is left out. */
void session_send_error(struct session *session, uint32_t id, enum error_code code, const char *message,
                        uint64_t retry_after_ms);
/* The only way to close: says disconnect, closes with the reason's code, counts. Later calls do nothing. */
void session_close(struct session *session, enum close_reason reason, uint64_t retry_after_ms);
/* Sends what is queued, in one system call if the socket takes it. */
void session_flush(struct session *session);
void session_mark_dirty(struct session *session);

/* The token is good: takes the principal over; CONNECTING, and found among its user's sessions from here on, so that a
 * revocation reaches it too. */
void session_authenticated(struct session *session, struct principal *principal);
/* The connect flow has succeeded. Handles what came early; may close the session. */
void session_open(struct session *session);
void session_set_state(struct session *session, enum session_state state);
/* Again whenever the token was replaced. */
void session_arm_expiry(struct session *session);
static inline bool session_is_open(const struct session *session)
{
    return session->state == SESSION_OPEN;
}

#endif
