#ifndef HANSOM_FRAME_BUFFER_H
#define HANSOM_FRAME_BUFFER_H
/* One WebSocket text frame (RFC 6455 5.2, unmasked, FIN), made once and shared by everybody who gets it. */
#include "base/strbuf.h"

struct frame {
    uint32_t references;
    uint32_t length;             /* of header and payload */
    uint64_t sequence, previous; /* of a stored item in its channel; 0: it has none */
    char bytes[];
};

/* One reference. The payload is copied. */
struct frame *frame_create(const char *payload, size_t length);
struct frame *frame_ref(struct frame *frame);
/* Clears the pointer; NULL is allowed. */
void frame_unref(struct frame **frame);

#endif
