/* Tokens: nobody without the key gets in. The input is a token, or claims that are signed by nobody. */
#include "auth/auth_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char kid[] = "k", secret[] = "0123456789abcdef0123456789abcdef";
    static struct key key = {.kid = kid, .algorithm = ALGORITHM_HS256, .secret = secret, .secret_length = 32};
    static const struct key_set keys = {.keys = &key, .count = 1};
    const char *why = NULL;
    struct principal *principal = token_verify(&keys, (const char *)data, size, 1700000000000, &why);
    ASSERT(principal == NULL && why != NULL);
    struct strbuf decoded, encoded;
    strbuf_init(&decoded, size);
    strbuf_init(&encoded, size * 2);
    if (base64url_decode(&decoded, (const char *)data, size)) {
        base64url_encode(&encoded, decoded.data, decoded.length);
        ASSERT(encoded.length == size && memcmp(encoded.data, data, size) == 0);
    }
    strbuf_finish(&decoded);
    strbuf_finish(&encoded);
    return 0;
}
