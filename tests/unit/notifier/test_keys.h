#ifndef HANSOM_TEST_KEYS_H
#define HANSOM_TEST_KEYS_H
/* Keys that are made when a test runs. */
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base.h"

/* PEM, to be freed with mem_free. */
static inline char *test_key_pem(EVP_PKEY *key)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes;
    ASSERT(key != NULL && PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1);
    long length = BIO_get_mem_data(memory, &bytes);
    char *pem = mem_strndup(bytes, (size_t)length);
    BIO_free(memory);
    EVP_PKEY_free(key);
    return pem;
}

static inline char *test_rsa_key(void)
{
    return test_key_pem(EVP_RSA_gen(2048));
}

static inline char *test_ec_key(void)
{
    return test_key_pem(EVP_EC_gen("P-256"));
}

#endif
