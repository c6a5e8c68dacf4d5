#ifndef HANSOM_TEST_BYTES_H
#define HANSOM_TEST_BYTES_H
/* Bytes of the RFCs' examples, which are written in base64url. */
#include <criterion/criterion.h>

#include "auth/auth.h"

static inline void bytes_of(const char *base64url, void *bytes, size_t length)
{
    struct strbuf decoded;
    strbuf_init(&decoded, length);
    cr_assert(base64url_decode(&decoded, base64url, strlen(base64url)), "%s", base64url);
    cr_assert_eq(decoded.length, length, "%s has %zu bytes", base64url, decoded.length);
    memcpy(bytes, decoded.data, length);
    strbuf_finish(&decoded);
}

static inline void expect_base64url(const struct strbuf *bytes, const char *expected)
{
    struct strbuf encoded;
    strbuf_init(&encoded, bytes->length * 2);
    base64url_encode(&encoded, bytes->data, bytes->length);
    cr_expect_str_eq(encoded.data, expected);
    strbuf_finish(&encoded);
}

/* RFC 8291, appendix A: the browser's side. */
#define EXAMPLE_P256DH "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define EXAMPLE_AUTH "BTBZMqHH6r4Tts7J_aSIgg"
#define EXAMPLE_PRIVATE "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
#define EXAMPLE_KEYS "\"keys\":{\"p256dh\":\"" EXAMPLE_P256DH "\",\"auth\":\"" EXAMPLE_AUTH "\"}"

#endif
