#ifndef HANSOM_HTTP_PAGE_H
#define HANSOM_HTTP_PAGE_H
/* Pages of a history over REST: cursors and limits. */
#include "http_api.h"

/* "<epoch>.<sequence>"; opaque to clients. */
#define HTTP_CURSOR_SIZE 48
MUST_CHECK bool http_cursor_parse(const char *text, uint64_t *epoch_r, uint64_t *sequence_r);
void http_cursor_format(char text[HTTP_CURSOR_SIZE], uint64_t epoch, uint64_t sequence);
/* `limit` of the query, from 1 to max; fallback if it is not given. */
MUST_CHECK bool http_limit_parse(const struct http_request *request, uint32_t fallback, uint32_t max,
                                 uint32_t *limit_r);

#define HTTP_PAGE_DEFAULT 50
#define HTTP_PAGE_MAX 200

#endif
