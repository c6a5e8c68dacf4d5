#ifndef HANSOM_SESSION_RULES_H
#define HANSOM_SESSION_RULES_H
/* What POST /v1/sessions may ask for, and the times of tokens. Pure. */
#include "base/strbuf.h"

struct cJSON;

#define SESSION_SCOPES_MAX 64
#define SESSION_TTL_MAX_S 86400

struct session_wish { /* strings belong to the JSON it was read from */
    const char *user_id, *role, *platform;
    const char *device_id; /* may be NULL */
    bool has_scopes;       /* false: those of the role */
    const char *scopes[SESSION_SCOPES_MAX];
    size_t scope_count;
    int64_t ttl_s; /* of the access token; 0: not given */
};
/* False with a text for the caller that names the field and does not repeat what was sent. */
MUST_CHECK bool session_wish_read(const struct cJSON *body, struct session_wish *wish_r, char *error,
                                  size_t error_size);

/* "subscribe:PATTERN" or "publish:PATTERN": segments of [A-Za-z0-9_-] or `*`, dots between, at the end maybe `>`. */
bool scope_is_well_formed(const char *scope);
/* PostgreSQL's text of an array of scopes, {"a","b"}; they must be well formed. */
void scopes_write_array(struct strbuf *out, const char *const *scopes, size_t count);

/* Tokens carry whole seconds, so revoking "now" means: before the next full second. */
int64_t cutoff_of(int64_t now_ms);
/* When a token made now says it was made: never before the user's cut-off. */
int64_t issued_at_s(int64_t now_ms, int64_t cutoff_ms);

#endif
