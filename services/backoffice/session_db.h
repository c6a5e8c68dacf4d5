#ifndef HANSOM_SESSION_DB_H
#define HANSOM_SESSION_DB_H
/*
 * Sessions in PostgreSQL: families of refresh tokens, and the cut-off before which a user's tokens are refused (its
 * copy is the bucket "sessions"). Only hashes of refresh tokens are kept.
 */
#include "core/session_rules.h"
#include "kv_writer.h"
#include "pg/pg.h"

struct backoffice;

#define REFRESH_TOKEN_SIZE 64
struct refresh_token {
    char text[REFRESH_TOKEN_SIZE]; /* what the client gets */
    char sha256[65];
};
void refresh_token_generate(struct refresh_token *token_r);
/* The hash of one that a client shows; false if it cannot be one. */
MUST_CHECK bool refresh_token_read(const char *text, char sha256_r[65]);

struct session {
    const char *user_id, *role, *platform;
    const char *device_id; /* may be NULL */
    const char *const *scopes;
    size_t scope_count;
    int64_t access_ttl_s;
    int64_t now_ms;
};
/* Starts a family. The one row is the user's cut-off in ms, 0 if there is none. */
void session_db_create(struct backoffice *app, const struct session *session, const struct refresh_token *token,
                       pg_result_cb *callback, void *context);

/* Spends the old token for the new one. No row: the old one is not good. Else one row: user_id, role, platform, scopes
 * (space separated), access_ttl_s, cut-off in ms. May be repeated with the same pair when the outcome is uncertain. */
void session_db_rotate(struct backoffice *app, const char *old_sha256, const struct refresh_token *token,
                       int64_t now_ms, pg_result_cb *callback, void *context);
/* Revokes the family of a token that was spent before. Affected: 1 if this revoked it. */
void session_db_revoke_reused(struct backoffice *app, const char *old_sha256, int64_t now_ms, pg_result_cb *callback,
                              void *context);
/* Ends all of a user's sessions. The one row is the cut-off that holds now. */
void session_db_cut_off(struct backoffice *app, const char *user_id, int64_t now_ms, pg_result_cb *callback,
                        void *context);
/* Brings the bucket up to this cut-off. */
void cutoff_publish(struct backoffice *app, const char *user_id, int64_t not_before_ms, kv_done_cb *callback,
                    void *context);

#endif
