#ifndef HANSOM_TRANSPORT_H
#define HANSOM_TRANSPORT_H
/*
 * What a session needs from the thing that carries it, so that the session code knows nothing of libwebsockets. All
 * calls on the loop's thread.
 */
#include <sys/types.h>
#include <sys/uio.h>

#include "base/base.h"

struct transport_ops {
    /* Tries to send; never blocks. Returns the bytes taken: always whole frames plus possibly the whole of one more
     * that the transport keeps by itself; 0 = nothing now (want_writable was armed); -1 = broken, closed() will come.
     */
    ssize_t (*send)(void *connection, const struct iovec *vectors, int count);
    /* session_writable will be called when there is room. */
    void (*want_writable)(void *connection);
    /* Milliseconds since the last byte of any kind came from the peer. */
    uint64_t (*silent_ms)(void *connection);
    /* A ping frame, as soon as possible. */
    void (*ping)(void *connection);
    /* A close frame with the code, then the end; session_closed comes later, never from inside. */
    void (*close)(void *connection, int code, const char *reason);
    /* The end without a close frame; session_closed comes later. */
    void (*kill)(void *connection);
};

#endif
