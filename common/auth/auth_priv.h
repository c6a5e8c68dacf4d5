#ifndef HANSOM_AUTH_PRIV_H
#define HANSOM_AUTH_PRIV_H
#include <openssl/evp.h>

#include "auth/auth.h"

enum algorithm { ALGORITHM_ES256, ALGORITHM_RS256, ALGORITHM_EDDSA, ALGORITHM_HS256, ALGORITHM_COUNT };
const char *algorithm_name(enum algorithm algorithm);
/* False if the name is not on the list; "none" is not. */
bool algorithm_from_name(const char *name, enum algorithm *algorithm_r);

struct key {
    char *kid;
    enum algorithm algorithm;
    EVP_PKEY *public_key; /* NULL for HS256 */
    char *secret;         /* HS256 */
    size_t secret_length;
};

struct key_set {
    struct key *keys;
    size_t count;
    char *issuer, *audience; /* NULL: not checked */
};

#endif
