#include "core/webpush_crypt.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include "base/ids.h"

#define HASH_LENGTH 32
#define KEY_LENGTH 16
#define NONCE_LENGTH 12
#define TAG_LENGTH 16
#define LAST_RECORD_DELIMITER 0x02
#define INFO_MAX 160
#define UNCOMPRESSED 0x04

/* --- HKDF of RFC 5869 with SHA-256, for outputs of at most one hash --- */

static bool hmac(unsigned char result[HASH_LENGTH], const void *key, size_t key_length, const void *bytes,
                 size_t length)
{
    return HMAC(EVP_sha256(), key, (int)key_length, bytes, length, result, NULL) != NULL;
}

static bool hkdf(unsigned char *result, size_t result_length, const unsigned char *salt, const unsigned char *secret,
                 size_t secret_length, const void *info, size_t info_length)
{
    unsigned char extracted[HASH_LENGTH], expanded[HASH_LENGTH], block[INFO_MAX + 1];
    ASSERT(result_length <= HASH_LENGTH && info_length <= INFO_MAX);
    memcpy(block, info, info_length);
    block[info_length] = 1;
    bool is_good = hmac(extracted, salt, WEBPUSH_SALT_LENGTH, secret, secret_length) &&
                   hmac(expanded, extracted, sizeof(extracted), block, info_length + 1);
    if (is_good)
        memcpy(result, expanded, result_length);
    OPENSSL_cleanse(extracted, sizeof(extracted));
    OPENSSL_cleanse(expanded, sizeof(expanded));
    return is_good;
}

/* --- RFC 8188 --- */

static void append_header(struct strbuf *body, const struct aes128gcm_key *key)
{
    static const unsigned char record_size[] = {0, 0, WEBPUSH_BODY_MAX >> 8, WEBPUSH_BODY_MAX & 0xff};
    strbuf_append(body, key->salt, WEBPUSH_SALT_LENGTH);
    strbuf_append(body, record_size, sizeof(record_size));
    strbuf_append_char(body, (char)key->keyid_length);
    strbuf_append(body, key->keyid, key->keyid_length);
}

/* The one record: text, delimiter, tag. */
static bool seal(EVP_CIPHER_CTX *context, unsigned char *out, const void *plaintext, size_t length)
{
    static const unsigned char delimiter = LAST_RECORD_DELIMITER;
    int written = 0, more = 0, rest = 0;
    return EVP_EncryptUpdate(context, out, &written, plaintext, (int)length) == 1 &&
           EVP_EncryptUpdate(context, out + written, &more, &delimiter, 1) == 1 &&
           EVP_EncryptFinal_ex(context, out + written + more, &rest) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LENGTH, out + length + 1) == 1;
}

bool aes128gcm_encrypt(struct strbuf *body, const struct aes128gcm_key *key, const void *plaintext, size_t length)
{
    /* With the zero at their ends. The nonce of record 0 is the base nonce. */
    static const char key_info[] = "Content-Encoding: aes128gcm", nonce_info[] = "Content-Encoding: nonce";
    unsigned char content_key[KEY_LENGTH], nonce[NONCE_LENGTH];
    ASSERT(key->keyid_length <= AES128GCM_KEYID_MAX && length <= WEBPUSH_BODY_MAX);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool is_good =
        context != NULL &&
        hkdf(content_key, sizeof(content_key), key->salt, key->secret, key->secret_length, key_info,
             sizeof(key_info)) &&
        hkdf(nonce, sizeof(nonce), key->salt, key->secret, key->secret_length, nonce_info, sizeof(nonce_info)) &&
        EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, content_key, nonce) == 1;
    if (is_good) {
        append_header(body, key);
        size_t record_length = length + 1 + TAG_LENGTH;
        is_good = seal(context, (unsigned char *)strbuf_reserve(body, record_length), plaintext, length);
        if (is_good)
            strbuf_grown(body, record_length);
    }
    EVP_CIPHER_CTX_free(context);
    OPENSSL_cleanse(content_key, sizeof(content_key));
    return is_good;
}

/* --- keys --- */

static EVP_PKEY *key_from_params(int selection, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, selection, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

/* NULL: no point on the curve. OpenSSL checks the curve's equation when it takes the point in. */
static EVP_PKEY *public_key_new(const unsigned char point[WEBPUSH_POINT_LENGTH])
{
    static char group[] = "prime256v1";
    if (point[0] != UNCOMPRESSED)
        return NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, WEBPUSH_POINT_LENGTH),
        OSSL_PARAM_construct_end(),
    };
    return key_from_params(EVP_PKEY_PUBLIC_KEY, params);
}

bool webpush_point_is_valid(const unsigned char point[WEBPUSH_POINT_LENGTH])
{
    EVP_PKEY *key = public_key_new(point);
    EVP_PKEY_free(key);
    return key != NULL;
}

static EVP_PKEY *key_pair_new(const struct webpush_sender *sender)
{
    BIGNUM *private_key = BN_bin2bn(sender->private_key, WEBPUSH_PRIVATE_LENGTH, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, private_key) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, sender->public_key, WEBPUSH_POINT_LENGTH) ==
            1)
        params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = params == NULL ? NULL : key_from_params(EVP_PKEY_KEYPAIR, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(private_key);
    return key;
}

/* --- RFC 8291 --- */

struct exchange {
    EVP_PKEY *ours, *theirs;
    unsigned char our_point[WEBPUSH_POINT_LENGTH], salt[WEBPUSH_SALT_LENGTH];
};

static bool draw(struct exchange *exchange)
{
    unsigned char *point = NULL;
    random_bytes(exchange->salt, sizeof(exchange->salt));
    exchange->ours = EVP_EC_gen("P-256");
    bool is_good =
        exchange->ours != NULL && EVP_PKEY_get1_encoded_public_key(exchange->ours, &point) == WEBPUSH_POINT_LENGTH;
    if (is_good)
        memcpy(exchange->our_point, point, WEBPUSH_POINT_LENGTH);
    OPENSSL_free(point);
    return is_good;
}

static bool take(struct exchange *exchange, const struct webpush_sender *sender)
{
    memcpy(exchange->salt, sender->salt, sizeof(exchange->salt));
    memcpy(exchange->our_point, sender->public_key, sizeof(exchange->our_point));
    exchange->ours = key_pair_new(sender);
    return exchange->ours != NULL;
}

static bool agree(const struct exchange *exchange, unsigned char shared[HASH_LENGTH])
{
    size_t length = HASH_LENGTH;
    /* Not validated again: P-256 has cofactor 1, so whatever lies on the curve is good; the check costs half as much as
     * all the rest. */
    static const int is_validated = 0;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(exchange->ours, NULL);
    bool is_good = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                   EVP_PKEY_derive_set_peer_ex(context, exchange->theirs, is_validated) == 1 &&
                   EVP_PKEY_derive(context, shared, &length) == 1 && length == HASH_LENGTH;
    EVP_PKEY_CTX_free(context);
    return is_good;
}

/* Section 3.4: the secret that RFC 8188 begins with. */
static bool derive(const struct exchange *exchange, const struct webpush_receiver *receiver,
                   unsigned char secret[HASH_LENGTH])
{
    static const char label[] = "WebPush: info"; /* with its zero */
    unsigned char shared[HASH_LENGTH], info[sizeof(label) + 2 * WEBPUSH_POINT_LENGTH];
    memcpy(info, label, sizeof(label));
    memcpy(info + sizeof(label), receiver->p256dh, WEBPUSH_POINT_LENGTH);
    memcpy(info + sizeof(label) + WEBPUSH_POINT_LENGTH, exchange->our_point, WEBPUSH_POINT_LENGTH);
    bool is_good = agree(exchange, shared) &&
                   hkdf(secret, HASH_LENGTH, receiver->auth, shared, sizeof(shared), info, sizeof(info));
    OPENSSL_cleanse(shared, sizeof(shared));
    return is_good;
}

static bool encrypt(struct strbuf *body, struct exchange *exchange, const struct webpush_receiver *receiver,
                    const void *plaintext, size_t length)
{
    unsigned char secret[HASH_LENGTH];
    struct aes128gcm_key key = {.secret = secret,
                                .secret_length = sizeof(secret),
                                .salt = exchange->salt,
                                .keyid = exchange->our_point,
                                .keyid_length = WEBPUSH_POINT_LENGTH};
    bool is_good = derive(exchange, receiver, secret) && aes128gcm_encrypt(body, &key, plaintext, length);
    OPENSSL_cleanse(secret, sizeof(secret));
    return is_good;
}

enum webpush_result webpush_encrypt(struct strbuf *body, const struct webpush_receiver *receiver,
                                    const struct webpush_sender *sender, const void *plaintext, size_t length)
{
    if (length > WEBPUSH_PLAINTEXT_MAX)
        return WEBPUSH_TOO_LARGE;
    struct exchange exchange = {.theirs = public_key_new(receiver->p256dh)};
    if (exchange.theirs == NULL)
        return WEBPUSH_BAD_KEY;
    bool is_good = (sender == NULL ? draw(&exchange) : take(&exchange, sender)) &&
                   encrypt(body, &exchange, receiver, plaintext, length);
    EVP_PKEY_free(exchange.ours);
    EVP_PKEY_free(exchange.theirs);
    return is_good ? WEBPUSH_OK : WEBPUSH_FAILED;
}
