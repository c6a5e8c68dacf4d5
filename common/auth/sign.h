#ifndef HANSOM_AUTH_SIGN_H
#define HANSOM_AUTH_SIGN_H
/* Making tokens, by libjwt. A library of its own: only what holds the signing key links it. */
#include "base/base.h"

struct signer;
/* alg: ES256, RS256 or HS256; kid: "" if tokens carry none; key_path: PEM private key, or the secret for HS256. NULL
 * with *error_r (mem_free). */
struct signer *signer_load(const char *key_path, const char *kid, const char *alg, char **error_r);
void signer_destroy(struct signer **signer);

struct token_request {
    const char *user_id, *role;
    const char *platform;          /* may be NULL */
    const char *token_id;          /* jti */
    const char *issuer, *audience; /* may be NULL */
    const char *const *scopes;
    size_t scope_count;
    int64_t issued_at_s, expires_at_s;
};
/* The compact token, to be freed with mem_free; NULL with *error_r (mem_free). */
char *token_sign(struct signer *signer, const struct token_request *request, char **error_r);

/* A compact token of any claims (the text of one JSON object), without a kid when the signer's is "". The caller frees
 * it with mem_free; NULL with *error_r (mem_free). */
char *claims_sign(struct signer *signer, const char *claims_json, char **error_r);

/* The scopes that a role gets when the session asks for none; NULL-terminated. */
const char *const *role_default_scopes(const char *role);

#endif
