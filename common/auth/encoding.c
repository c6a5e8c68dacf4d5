#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "auth/auth.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool secret_equal(const char *left, const char *right)
{
    /* Of the hashes, so that the time tells nothing about the lengths either. */
    unsigned char left_hash[SHA256_DIGEST_LENGTH], right_hash[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)left, strlen(left), left_hash);
    SHA256((const unsigned char *)right, strlen(right), right_hash);
    return CRYPTO_memcmp(left_hash, right_hash, sizeof(left_hash)) == 0;
}

void sha256_hex(const void *bytes, size_t length, char hex_r[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(bytes, length, hash);
    for (size_t i = 0; i < sizeof(hash); i++) {
        hex_r[2 * i] = digits[hash[i] >> 4];
        hex_r[2 * i + 1] = digits[hash[i] & 15];
    }
    hex_r[64] = '\0';
}

void base64url_encode(struct strbuf *out, const void *bytes, size_t length)
{
    const unsigned char *in = bytes;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < length; i++) {
        bits = (bits << 8) | in[i];
        for (count += 8; count >= 6; count -= 6)
            strbuf_append_char(out, alphabet[(bits >> (count - 6)) & 63]);
    }
    if (count > 0)
        strbuf_append_char(out, alphabet[(bits << (6 - count)) & 63]);
}

static int digit_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

bool base64url_decode(struct strbuf *out, const char *text, size_t length)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < length; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return false;
        bits = (bits << 6) | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            strbuf_append_char(out, (char)((bits >> count) & 0xff));
        }
    }
    /* One left-over digit, or left-over bits that are not zero, is no encoding of anything. */
    return length % 4 != 1 && (bits & ((1u << count) - 1)) == 0;
}
