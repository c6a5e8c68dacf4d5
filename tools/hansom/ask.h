#ifndef HANSOM_ASK_H
#define HANSOM_ASK_H
/* A question to backoffice, whose failures are said on stderr. */
#include "internal_api.h"

/* True: the answer (initialised by the caller) holds the body of a 2xx. `body` may be NULL. */
bool ask(const struct internal_api *api, const char *method, const char *path, const char *body, struct strbuf *answer);
/* The same, and prints the answer. Returns the exit code. */
int ask_and_print(const struct internal_api *api, const char *method, const char *path, const char *body);

#endif
