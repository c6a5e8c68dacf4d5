#ifndef HANSOM_WS_SERVER_H
#define HANSOM_WS_SERVER_H
/*
 * libwebsockets 4.1.6 behind the transport interface: WebSocket sessions and the few HTTP routes of the public port.
 * Its timers, listener and write queue are not used (docs/adr/0003-libwebsockets.md says why).
 */
#include "gateway.h"

struct address_entry;
struct ws_server;

/* NULL with the reason appended to error. */
struct ws_server *ws_server_create(struct gateway *gateway, struct strbuf *error);
/* Cuts what is still open. */
void ws_server_destroy(struct ws_server **server);
/* Takes a connected socket. The address is given back to listener_left when the connection ends. */
/* head: bytes that stand for what was read from the socket already; may be NULL. */
void ws_server_adopt(struct ws_server *server, int fd, struct address_entry *address, const struct strbuf *head);

#endif
