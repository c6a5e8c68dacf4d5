#ifndef HANSOM_GATE_H
#define HANSOM_GATE_H
/* What every request passes before its handler: route, key, sizes, JSON, idempotency. All from the route's row. */
#include "base/strbuf.h"

struct exchange;

/* The API keys of a file, one per line, # comments. NULL with *error_r (mem_free). */
struct api_keys;
struct api_keys *api_keys_load(const char *path, char **error_r);
void api_keys_destroy(struct api_keys **keys);
/* Constant time in the keys' contents. Any thread. */
bool api_keys_accept(const struct api_keys *keys, const char *authorization);

/* For http_config. context: struct backoffice. */
void gate_admit(void *context, struct exchange *exchange, const char *method, const char *path);
void gate_handle(void *context, struct exchange *exchange);
void gate_note_answer(void *context, const struct exchange *exchange, double seconds);

#endif
