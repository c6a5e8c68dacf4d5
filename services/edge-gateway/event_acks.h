#ifndef HANSOM_EVENT_ACKS_H
#define HANSOM_EVENT_ACKS_H
/*
 * What users have seen of their events, on its way into stream EVENT_ACKS. Of each session the highest number is kept
 * until the stream has it, so NATS may be away meanwhile, and the session may end. The number is checked against the
 * channel first.
 */
#include "session.h"

struct event_acks;

struct event_acks *event_acks_create(struct gateway *gateway);
/* What has not arrived is given up. No session may be left. */
void event_acks_destroy(struct event_acks **acks);
/* The bus is back: what waits is sent. */
void event_acks_resume(struct event_acks *acks);
/* Nothing is on its way that the bus could take. */
bool event_acks_are_idle(const struct event_acks *acks);

/* The user has everything up to `sequence`. id: of the frame, for the error if there is no such item; it may come
 * later. */
void event_ack_note(struct session *session, uint32_t id, uint64_t sequence);
/* The session ends: what it has acknowledged stays on its way. */
void event_ack_leave(struct session *session);

/* Checked already: into the stream, once however often it is said. */
struct bus_request *event_ack_store(struct bus *bus, const char *user_id, uint64_t epoch, uint64_t sequence,
                                    bus_ack_cb *callback, void *context);
/* The last item of the user's events, as bus_get_last gives it. */
struct bus_request *event_ack_get_last(struct bus *bus, const char *user_id, bus_reply_cb *callback, void *context);

#endif
