#ifndef HANSOM_TOKEN_REFRESHER_H
#define HANSOM_TOKEN_REFRESHER_H
/*
 * Answers rpc.backoffice.token.refresh: a refresh token is spent for a new pair; one that was spent already revokes its
 * whole family. A rotation whose outcome is uncertain is repeated with the same new token until it is certain, so that
 * an honest client is not taken for a thief.
 */
struct backoffice;
struct token_refresher;

struct token_refresher *token_refresher_create(struct backoffice *app);
/* Before pg_destroy and bus_destroy; pending requests get no answer. Clears the pointer; NULL is allowed. */
void token_refresher_destroy(struct token_refresher **refresher);
/* Takes no more requests. */
void token_refresher_quiesce(struct token_refresher *refresher);
unsigned token_refresher_active(const struct token_refresher *refresher);

#endif
