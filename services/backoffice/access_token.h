#ifndef HANSOM_ACCESS_TOKEN_H
#define HANSOM_ACCESS_TOKEN_H
/* Signing access tokens with the service's key and settings. */
#include "backoffice_metrics.h"
#include "session_db.h"

/* The compact token (mem_free); session->now_ms and the user's cut-off give its times. NULL when the key does not sign:
 * that is logged. */
char *access_token_sign(struct backoffice *app, const struct session *session, int64_t cutoff_ms,
                        enum token_occasion occasion);

#endif
