#ifndef HANSOM_SHARED_TOKEN_H
#define HANSOM_SHARED_TOKEN_H
/*
 * A token that all instances must agree on and renew no oftener than the provider wants (Apple: one provider token, at
 * least 20 and at most 60 minutes old). It lies in notify.provider_tokens; whoever finds it too old offers a new one,
 * and all take the one that won.
 */
#include <uv.h>

#include "base/base.h"

struct pg;
struct shared_tokens;
struct shared_token;

struct shared_tokens *shared_tokens_create(uv_loop_t *loop, struct pg *pg, uint32_t query_timeout_ms);
/* No token may be left, and the pg gone: no callback of a query may come afterwards. */
void shared_tokens_destroy(struct shared_tokens **tokens);

/* Makes a new one, issued now; mem_free. NULL: it could not be made. */
typedef char *shared_token_make(void *context, int64_t now_ms);
/* name: of the row, e.g. "apns.TEAM.KEY". Begins to fetch at once. Never NULL. */
struct shared_token *shared_token_create(struct shared_tokens *tokens, const char *name, uint64_t renew_after_ms,
                                         shared_token_make *make, void *context);
void shared_token_destroy(struct shared_token **token);
/* NULL: there is none yet (the database does not answer). Valid until the loop turns. */
const char *shared_token_get(struct shared_token *token);
/* The provider refused the one that is in use: fetched anew, without making a new one sooner than renew_after_ms. */
void shared_token_refused(struct shared_token *token);

#endif
