#ifndef HANSOM_FRAME_BUFFER_H
#define HANSOM_FRAME_BUFFER_H
/* One WebSocket text frame (RFC 6455 5.2, unmasked, FIN), made once and shared by everybody who gets it. */
#include "expiring.h"

struct frame {
    uint32_t references;
    uint32_t length;             /* of header and payload */
    uint64_t sequence, previous; /* of a stored item in its channel; 0: it has none */
    int64_t expires_at_ms;       /* when the next part of it does; 0: never */
    struct expiring *expiring;   /* NULL: nothing in it does */
    char bytes[];
};

/* One reference. The payload is copied. */
struct frame *frame_create(const char *payload, size_t length);
/* The parts are taken over; what they were in is empty afterwards. */
struct frame *frame_create_expiring(const char *payload, size_t length, struct expiring *parts);
/* Puts tombstones in the place of what has expired, for all who share the frame. */
void frame_expire(struct frame *frame, int64_t now_ms);
struct frame *frame_ref(struct frame *frame);
/* Clears the pointer; NULL is allowed. */
void frame_unref(struct frame **frame);

#endif
