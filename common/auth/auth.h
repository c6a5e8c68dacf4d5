#ifndef HANSOM_AUTH_H
#define HANSOM_AUTH_H
/*
 * Tokens, as PROTOCOL section 2 says. Verification uses OpenSSL with keys parsed once (libjwt 1.10 parses the PEM at
 * each call: seven times the cost) and checks every claim and its JSON type itself. Pure but for reading the key files:
 * time comes in.
 */
#include "base/ids.h"
#include "base/strbuf.h"

#define AUTH_SCOPES_MAX 64
#define AUTH_TOKEN_LENGTH_MAX 4096
#define AUTH_CLOCK_SKEW_S 60

/* Who a valid token speaks for. Reference-counted: many sessions may share a verified token. */
struct principal {
    char *user_id;
    int role;       /* Hansom__Role */
    char *platform; /* may be NULL */
    char *token_id; /* jti, may be NULL */
    int64_t issued_at_ms;
    int64_t expires_at_ms;
    char **scopes; /* "subscribe:booking.*.tracking" */
    size_t scope_count;
    uint32_t references;
};
struct principal *principal_ref(struct principal *principal);
/* Clears the pointer; NULL is allowed. */
void principal_unref(struct principal **principal);
/* verb is "subscribe" or "publish". */
bool principal_may(const struct principal *principal, const char *verb, const char *channel);

struct key_set;
/* Reads a key set file:
 *   {"keys":[{"kid":"k1","alg":"ES256","pem_file":"public.pem"},{"kid":"dev","alg":"HS256","secret_file":"hs.key"}],
 *    "issuer":null|"…","audience":null|"…"}
 * alg is ES256, RS256, EdDSA or HS256; file names are relative to the key set's folder. NULL with *error_r (mem_free)
 * that names the file and the field. */
struct key_set *key_set_load(const char *path, char **error_r);
void key_set_destroy(struct key_set **keys);

/*
 * Verifies a compact JWT: signature with the key that kid selects (without kid: every key whose alg matches), the alg
 * pinned to the key, exp, nbf, iat, iss, aud, sub, role, scopes with their types, AUTH_CLOCK_SKEW_S of skew at most.
 * NULL for every kind of invalid token; *why_r (a literal, for metrics and debug logs only, never for the client).
 * The caller owns one reference.
 */
struct principal *token_verify(const struct key_set *keys, const char *token, size_t length, int64_t now_ms,
                               const char **why_r);

/* Remembers verified tokens (by SHA-256) until they expire; at most `capacity`, the oldest go first. */
struct token_cache;
struct token_cache *token_cache_create(size_t capacity);
void token_cache_destroy(struct token_cache **cache);
/* token_verify through the cache. */
struct principal *token_cache_verify(struct token_cache *cache, const struct key_set *keys, const char *token,
                                     size_t length, int64_t now_ms, const char **why_r);

/* Constant-time equality of two secrets. */
bool secret_equal(const char *left, const char *right);
void sha256_hex(const void *bytes, size_t length, char hex_r[65]);
/* Base64url without padding. */
void base64url_encode(struct strbuf *out, const void *bytes, size_t length);
MUST_CHECK bool base64url_decode(struct strbuf *out, const char *text, size_t length);

#endif
