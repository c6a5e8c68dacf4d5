#ifndef HANSOM_LISTENER_H
#define HANSOM_LISTENER_H
/*
 * The door: our own SO_REUSEPORT socket (libwebsockets of Debian 12 cannot open one), batches of accept, the limits per
 * address and in all, then the hand-over. Who is refused gets a 503 with Retry-After and costs no more than that.
 */
#include "gateway.h"

struct address_entry; /* what one address has open */

struct listener;
/* NULL with the reason appended to error. */
struct listener *listener_create(struct gateway *gateway, struct strbuf *error);
/* No more accepts; the addresses stay until destroy. */
void listener_stop(struct listener *listener);
void listener_destroy(struct listener **listener);
uint16_t listener_port(const struct listener *listener);
/* A connection that was handed over is gone. */
void listener_left(struct address_entry *address);

#endif
