#ifndef HANSOM_ARRIVAL_H
#define HANSOM_ARRIVAL_H
/*
 * Sockets whose first request has not come whole yet. libwebsockets 4.1.6 cuts a connection whose list of subprotocols
 * is longer than 128 bytes, and a token among them always is; so the head is looked at first, and hansom.bearer.<jwt>
 * is moved from Sec-WebSocket-Protocol into an Authorization header (unless there is one). Every other request is
 * handed over untouched.
 */
#include "gateway.h"

struct address_entry;
struct arrivals;

struct arrivals *arrivals_create(struct gateway *gateway);
/* Cuts those that still wait. */
void arrivals_destroy(struct arrivals **arrivals);
/* Takes the socket; it goes to ws_server_adopt when its head is there, or is closed after ARRIVAL_TIMEOUT_MS. */
void arrivals_take(struct arrivals *arrivals, int fd, struct address_entry *address);

#define ARRIVAL_HEAD_MAX 8192
#define ARRIVAL_TIMEOUT_MS 5000

/* Pure: writes the head with the token moved. False: nothing to move, or not a head. */
MUST_CHECK bool arrival_move_token(const char *head, size_t length, struct strbuf *out);

#endif
