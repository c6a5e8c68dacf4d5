#ifndef HANSOM_OUTBOX_H
#define HANSOM_OUTBOX_H
/* What a connection has yet to be sent, in order, bounded by bytes. Pure. */
#include <sys/uio.h>

#include "frame_buffer.h"

struct outbox {
    struct frame **ring; /* power of two, or NULL while it was never used */
    uint32_t capacity, first, count;
    size_t bytes;
    int64_t expires_at_ms; /* nothing in it expires before; 0: nothing does */
};

void outbox_finish(struct outbox *outbox);
/* Takes a reference of its own. False, and nothing is added, when it would go over max_bytes (a first frame always
 * fits). */
MUST_CHECK bool outbox_push(struct outbox *outbox, struct frame *frame, size_t max_bytes);
/* Puts tombstones in the place of what has expired, if anything can have; to be called before a peek for a write. */
void outbox_expire(struct outbox *outbox, int64_t now_ms);
/* Fills at most `max` entries from the front; returns how many. */
int outbox_peek(const struct outbox *outbox, struct iovec *vectors, int max);
/* Drops the frames that lie whole within the first `bytes`; returns how many bytes of the next one were sent too. */
size_t outbox_consume(struct outbox *outbox, size_t bytes);
/* The first frame, which stays; NULL when empty. */
struct frame *outbox_first(const struct outbox *outbox);
/* The first one of a stored item; NULL if there is none. */
struct frame *outbox_first_stored(const struct outbox *outbox);
/* Takes the first frame out, with its reference; NULL when empty. */
struct frame *outbox_pop(struct outbox *outbox);

#endif
