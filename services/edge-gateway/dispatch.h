#ifndef HANSOM_DISPATCH_H
#define HANSOM_DISPATCH_H
/* From a frame to its handler. The row holds every check that does not depend on the frame's contents. */
#include "session.h"

typedef void op_handler(struct session *session, const struct client_frame *frame);

struct op_row {
    op_handler *handler;
    bool needs_open; /* a connect has succeeded */
    bool is_publish; /* counts against max_publishes_per_second */
    bool needs_bus;  /* refused as unavailable while NATS is away */
};
extern const struct op_row op_rows[OP_COUNT];

/* One frame: checks, then the handler. */
void dispatch_frame(struct session *session, const char *text, size_t length);

/* handlers/handle_*.c */
op_handler handle_connect, handle_subscribe, handle_unsubscribe, handle_publish, handle_qos, handle_refresh, handle_ack,
    handle_presence, handle_ping;

/* Shared by handlers: begins {"op":"reply","id":…; the caller adds fields and calls reply_send. */
struct reply {
    struct strbuf text;
    struct json_writer json;
    struct expiring expiring; /* for events among the fields */
};
void reply_begin(struct reply *reply, uint32_t id);
void reply_send(struct reply *reply, struct session *session);
/* A reply without fields; nothing when id is 0. */
void reply_empty(struct session *session, uint32_t id);
/* The error frame of a bus request that did not work out. */
void reply_bus_error(struct session *session, uint32_t id, enum bus_status status);

#endif
