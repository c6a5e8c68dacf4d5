#ifndef HANSOM_INTERNAL_API_H
#define HANSOM_INTERNAL_API_H
/* Calls to backoffice's internal REST. */
#include "base/strbuf.h"

struct internal_api {
    const char *url;          /* http://127.0.0.1:8090 */
    const char *api_key_file; /* its first line is the key */
};

/* From HANSOM_INTERNAL and HANSOM_API_KEY_FILE, with the defaults of script/server. */
void internal_api_defaults(struct internal_api *api);

/*
 * One call. body may be NULL. The answer's body goes to `answer` (initialised by the caller). Returns the HTTP status;
 * 0 when there was no answer, with *error_r (mem_free) naming what is missing.
 */
long internal_api_call(const struct internal_api *api, const char *method, const char *path, const char *body,
                       struct strbuf *answer, char **error_r);

struct internal_session {
    const char *user, *role, *platform;
    long ttl_s; /* of the access token; 0: as backoffice likes */
};
/* Opens a session. Its access token (mem_free); NULL with *error_r (mem_free). */
char *internal_api_open_session(const struct internal_api *api, const struct internal_session *session, char **error_r);

/* Says on stderr why a call failed: the transport's error, or the detail of the problem+json answer. */
void internal_api_print_failure(long status, const struct strbuf *answer, const char *error);

#endif
