#ifndef HANSOM_WEBPUSH_CRYPT_H
#define HANSOM_WEBPUSH_CRYPT_H
/*
 * Message encryption of Web Push (RFC 8291) in the content coding aes128gcm (RFC 8188), one record per message. A body
 * of 4096 bytes is what every push service must take (RFC 8030, 7.2), so that is the limit.
 */
#include "base/strbuf.h"

#define WEBPUSH_BODY_MAX 4096
#define WEBPUSH_PLAINTEXT_MAX 3993 /* less 86 bytes of header, 1 of padding delimiter and 16 of tag */
#define WEBPUSH_POINT_LENGTH 65    /* uncompressed point on P-256 */
#define WEBPUSH_PRIVATE_LENGTH 32
#define WEBPUSH_AUTH_LENGTH 16
#define WEBPUSH_SALT_LENGTH 16
#define AES128GCM_KEYID_MAX 255

/* Of the browser, as it came. */
struct webpush_receiver {
    unsigned char p256dh[WEBPUSH_POINT_LENGTH];
    unsigned char auth[WEBPUSH_AUTH_LENGTH];
};

/* What is drawn afresh for each message; given only by tests. */
struct webpush_sender {
    unsigned char private_key[WEBPUSH_PRIVATE_LENGTH], public_key[WEBPUSH_POINT_LENGTH];
    unsigned char salt[WEBPUSH_SALT_LENGTH];
};

enum webpush_result {
    WEBPUSH_OK,
    WEBPUSH_BAD_KEY,   /* p256dh is no point on the curve */
    WEBPUSH_TOO_LARGE, /* more than WEBPUSH_PLAINTEXT_MAX */
    WEBPUSH_FAILED,    /* OpenSSL did not do it */
};

bool webpush_point_is_valid(const unsigned char point[WEBPUSH_POINT_LENGTH]);
/* Appends the body. sender: NULL for fresh random ones. */
MUST_CHECK enum webpush_result webpush_encrypt(struct strbuf *body, const struct webpush_receiver *receiver,
                                               const struct webpush_sender *sender, const void *plaintext,
                                               size_t length);

/* RFC 8188 by itself, one record of which rs is 4096. Appends header and record; false: OpenSSL did not do it. */
struct aes128gcm_key {
    const unsigned char *secret, *salt, *keyid; /* input keying material; salt of WEBPUSH_SALT_LENGTH */
    size_t secret_length, keyid_length;         /* keyid of at most AES128GCM_KEYID_MAX */
};
MUST_CHECK bool aes128gcm_encrypt(struct strbuf *body, const struct aes128gcm_key *key, const void *plaintext,
                                  size_t length);

#endif
