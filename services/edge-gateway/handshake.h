#ifndef HANSOM_HANDSHAKE_H
#define HANSOM_HANDSHAKE_H
/* Reading the headers of a request, and answers before an upgrade. The headers are there only until it is established.
 */
#include "gateway.h"
#include "http_api.h"

struct lws;

/* May this upgrade go on? Path, origin, subprotocol, and the token if it came in a header; never one in the URL. */
bool handshake_check(struct gateway *gateway, struct lws *wsi, enum error_code *code_r, const char **detail_r);
/* The token of the Authorization header (arrival.h puts the one of a subprotocol there); NULL, or for mem_free. */
char *handshake_bearer_header(struct lws *wsi);
/* Will a body follow? libwebsockets tells of the end of an empty one with POST only. */
bool handshake_has_body(struct lws *wsi);
/* The Content-Type header; NULL, or for mem_free. */
char *handshake_content_type(struct lws *wsi);
/* The header in which an SMS provider signs its callbacks; NULL, or for mem_free. */
char *handshake_signature(struct lws *wsi);
/* The index-th "name=value" of the query, decoded; false if there is none or it is too long. Only while the request's
 * head is there. */
bool handshake_query(struct lws *wsi, size_t index, char *text, size_t size);
/* The method (a literal) and the path without the query. */
const char *handshake_method(struct lws *wsi, char *path, size_t size);
/* The same instead of an upgrade: libwebsockets would say HTTP/1.0 there, which WebSocket clients do not accept. */
void handshake_refuse(struct lws *wsi, const struct http_answer *answer);
/* Status line, headers and body at once. False: the connection is broken. */
bool handshake_write_answer(struct lws *wsi, const struct http_answer *answer);

#endif
