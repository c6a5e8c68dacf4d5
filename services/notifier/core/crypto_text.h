#ifndef HANSOM_CRYPTO_TEXT_H
#define HANSOM_CRYPTO_TEXT_H
/* Signatures that are sent as text. Pure. */
#include "base/strbuf.h"

/* A compact JWT of these claims (one JSON object). alg: "ES256" or "RS256"; key: PEM; kid: NULL for none. mem_free;
 * NULL: the key does not fit. */
char *jwt_make(const char *alg, const char *key_pem, const char *kid, const char *claims_json);
/* With padding. */
void base64_append(struct strbuf *out, const void *bytes, size_t length);
/* With padding; false: it is none. Appends. */
MUST_CHECK bool base64_decode(struct strbuf *out, const char *text, size_t length);
/* base64 of the HMAC; algorithm "SHA1" or "SHA256". */
void hmac_base64_append(struct strbuf *out, const char *algorithm, const void *key, size_t key_length,
                        const void *bytes, size_t length);
/* application/x-www-form-urlencoded: "&name=value", without the & at the start of the buffer. */
void form_append(struct strbuf *out, const char *name, const char *value);

#endif
