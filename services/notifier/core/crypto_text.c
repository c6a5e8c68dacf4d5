#include "core/crypto_text.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

char *jwt_make(const char *alg, const char *key_pem, const char *kid, const char *claims_json)
{
    jwt_t *token = NULL;
    int error = jwt_new(&token);
    if (error == 0)
        error = jwt_add_grants_json(token, claims_json);
    if (error == 0 && kid != NULL)
        error = jwt_add_header(token, "kid", kid);
    if (error == 0)
        error = jwt_set_alg(token, jwt_str_alg(alg), (const unsigned char *)key_pem, (int)strlen(key_pem));
    char *encoded = error == 0 ? jwt_encode_str(token) : NULL;
    char *result = encoded == NULL ? NULL : mem_strdup(encoded);
    free(encoded);
    jwt_free(token);
    return result;
}

void base64_append(struct strbuf *out, const void *bytes, size_t length)
{
    char *room = strbuf_reserve(out, (length + 2) / 3 * 4 + 1);
    int written = EVP_EncodeBlock((unsigned char *)room, bytes, (int)length);
    strbuf_grown(out, (size_t)written);
}

bool base64_decode(struct strbuf *out, const char *text, size_t length)
{
    if (length == 0 || length % 4 != 0)
        return false;
    char *room = strbuf_reserve(out, length / 4 * 3 + 1);
    int written = EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)text, (int)length);
    if (written < 0)
        return false;
    size_t padding = (size_t)(text[length - 1] == '=') + (size_t)(text[length - 2] == '=');
    strbuf_grown(out, (size_t)written - padding);
    return true;
}

void hmac_base64_append(struct strbuf *out, const char *algorithm, const void *key, size_t key_length,
                        const void *bytes, size_t length)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_length = 0;
    const EVP_MD *digest = EVP_get_digestbyname(algorithm);
    ASSERT(digest != NULL && HMAC(digest, key, (int)key_length, bytes, length, mac, &mac_length) != NULL);
    base64_append(out, mac, mac_length);
}

static void append_encoded(struct strbuf *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                        c == '.' || c == '_' || c == '*';
        if (is_plain)
            strbuf_append_char(out, (char)c);
        else if (c == ' ')
            strbuf_append_char(out, '+');
        else
            strbuf_append(out, (const char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}

void form_append(struct strbuf *out, const char *name, const char *value)
{
    if (out->length > 0)
        strbuf_append_char(out, '&');
    append_encoded(out, name);
    strbuf_append_char(out, '=');
    append_encoded(out, value);
}
