#include "bytes.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>

#include "core/webpush_crypt.h"

static void receiver_of_example(struct webpush_receiver *receiver)
{
    bytes_of(EXAMPLE_P256DH, receiver->p256dh, sizeof(receiver->p256dh));
    bytes_of(EXAMPLE_AUTH, receiver->auth, sizeof(receiver->auth));
}

static void sender_of_example(struct webpush_sender *sender)
{
    bytes_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", sender->private_key, sizeof(sender->private_key));
    bytes_of("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
             sender->public_key, sizeof(sender->public_key));
    bytes_of("DGv6ra1nlYgDCS1FRnbzlw", sender->salt, sizeof(sender->salt));
}

Test(webpush_crypt, the_example_of_rfc_8291_byte_for_byte)
{
    static const char text[] = "When I grow up, I want to be a watermelon";
    struct webpush_receiver receiver;
    struct webpush_sender sender;
    struct strbuf body;
    receiver_of_example(&receiver);
    sender_of_example(&sender);
    strbuf_init(&body, 0);
    cr_assert_eq(webpush_encrypt(&body, &receiver, &sender, text, strlen(text)), WEBPUSH_OK);
    expect_base64url(&body, "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWA"
                            "mS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxs"
                            "j_Qulcy4a-fN");
    strbuf_finish(&body);
}

Test(webpush_crypt, the_example_of_rfc_8188)
{
    unsigned char secret[16], salt[WEBPUSH_SALT_LENGTH];
    struct strbuf body;
    bytes_of("yqdlZ-tYemfogSmv7Ws5PQ", secret, sizeof(secret));
    bytes_of("I1BsxtFttlv3u_Oo94xnmw", salt, sizeof(salt));
    struct aes128gcm_key key = {
        .secret = secret, .secret_length = sizeof(secret), .salt = salt, .keyid = salt, .keyid_length = 0};
    strbuf_init(&body, 0);
    cr_assert(aes128gcm_encrypt(&body, &key, "I am the walrus", 15));
    expect_base64url(&body, "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg");
    strbuf_finish(&body);
}

/* --- the browser's side, by EVP's own HKDF --- */

static EVP_PKEY *key_of(const char *p256dh, const char *private_key)
{
    unsigned char point[WEBPUSH_POINT_LENGTH], scalar[WEBPUSH_PRIVATE_LENGTH];
    EVP_PKEY *key = NULL;
    bytes_of(p256dh, point, sizeof(point));
    bytes_of(private_key, scalar, sizeof(scalar));
    BIGNUM *number = BN_bin2bn(scalar, sizeof(scalar), NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number);
    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY_fromdata_init(context);
    cr_assert_eq(EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(number);
    return key;
}

static void derive_secret(EVP_PKEY *own, const unsigned char *point, unsigned char shared[32])
{
    EVP_PKEY *peer = EVP_PKEY_new();
    cr_assert_eq(EVP_PKEY_copy_parameters(peer, own), 1);
    cr_assert_eq(EVP_PKEY_set1_encoded_public_key(peer, point, WEBPUSH_POINT_LENGTH), 1);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
    size_t length = 32;
    cr_assert_eq(EVP_PKEY_derive_init(context), 1);
    cr_assert_eq(EVP_PKEY_derive_set_peer(context, peer), 1);
    cr_assert_eq(EVP_PKEY_derive(context, shared, &length), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
}

static void expand(const void *salt, const void *secret, size_t secret_length, const void *info, size_t info_length,
                   unsigned char *out, size_t out_length)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, 16),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_length),
        OSSL_PARAM_construct_end(),
    };
    cr_assert_eq(EVP_KDF_derive(context, out, out_length, params), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

/* The plaintext with its delimiter; false: the tag does not fit. */
static bool decrypt(const struct strbuf *body, unsigned char plaintext[WEBPUSH_BODY_MAX], size_t *length_r)
{
    const unsigned char *bytes = (const unsigned char *)body->data, *point = bytes + 21;
    unsigned char auth[16], shared[32], secret[32], key[16], nonce[12], info[144] = "WebPush: info";
    EVP_PKEY *own = key_of(EXAMPLE_P256DH, EXAMPLE_PRIVATE);
    bytes_of(EXAMPLE_AUTH, auth, sizeof(auth));
    bytes_of(EXAMPLE_P256DH, info + 14, 65);
    memcpy(info + 79, point, 65);
    derive_secret(own, point, shared);
    EVP_PKEY_free(own);
    expand(auth, shared, 32, info, sizeof(info), secret, 32);
    expand(bytes, secret, 32, "Content-Encoding: aes128gcm", 28, key, sizeof(key));
    expand(bytes, secret, 32, "Content-Encoding: nonce", 24, nonce, sizeof(nonce));
    int written = 0, rest = 0, record = (int)body->length - 86 - 16;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), NULL, key, nonce);
    EVP_DecryptUpdate(context, plaintext, &written, bytes + 86, record);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, (void *)(bytes + body->length - 16));
    bool is_good = EVP_DecryptFinal_ex(context, plaintext + written, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    *length_r = (size_t)written;
    return is_good;
}

Test(webpush_crypt, a_browser_reads_every_length_up_to_the_limit)
{
    static const size_t lengths[] = {0, 1, 15, 16, 17, 1000, WEBPUSH_PLAINTEXT_MAX};
    unsigned char text[WEBPUSH_PLAINTEXT_MAX], read[WEBPUSH_BODY_MAX];
    struct webpush_receiver receiver;
    struct strbuf body;
    receiver_of_example(&receiver);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)(i * 7);
    strbuf_init(&body, 0);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        size_t length = 0;
        strbuf_clear(&body);
        cr_assert_eq(webpush_encrypt(&body, &receiver, NULL, text, lengths[i]), WEBPUSH_OK);
        cr_assert_eq(body.length, lengths[i] + 103);
        cr_assert(decrypt(&body, read, &length), "%zu bytes", lengths[i]);
        cr_assert_eq(length, lengths[i] + 1);
        cr_assert_eq(read[lengths[i]], 2, "the delimiter of the last record");
        cr_assert_eq(memcmp(read, text, lengths[i]), 0);
    }
    cr_assert_eq(body.length, WEBPUSH_BODY_MAX);
    size_t length = 0;
    body.data[body.length - 20] ^= 1;
    cr_assert_not(decrypt(&body, read, &length), "a changed byte is noticed");
    strbuf_finish(&body);
}

Test(webpush_crypt, every_message_has_its_own_salt_and_key)
{
    struct webpush_receiver receiver;
    struct strbuf first, second;
    receiver_of_example(&receiver);
    strbuf_init(&first, 0);
    strbuf_init(&second, 0);
    cr_assert_eq(webpush_encrypt(&first, &receiver, NULL, "x", 1), WEBPUSH_OK);
    cr_assert_eq(webpush_encrypt(&second, &receiver, NULL, "x", 1), WEBPUSH_OK);
    cr_assert_neq(memcmp(first.data, second.data, WEBPUSH_SALT_LENGTH), 0);
    cr_assert_neq(memcmp(first.data + 21, second.data + 21, WEBPUSH_POINT_LENGTH), 0);
    strbuf_finish(&first);
    strbuf_finish(&second);
}

Test(webpush_crypt, too_long_is_too_large)
{
    static const char text[WEBPUSH_PLAINTEXT_MAX + 1];
    struct webpush_receiver receiver;
    struct strbuf body;
    receiver_of_example(&receiver);
    strbuf_init(&body, 0);
    cr_assert_eq(webpush_encrypt(&body, &receiver, NULL, text, sizeof(text)), WEBPUSH_TOO_LARGE);
    cr_assert_eq(body.length, 0);
    strbuf_finish(&body);
}

Test(webpush_crypt, points_that_are_none)
{
    struct webpush_receiver receiver;
    struct strbuf body;
    strbuf_init(&body, 0);
    for (int kind = 0; kind < 6; kind++) {
        receiver_of_example(&receiver);
        cr_assert(webpush_point_is_valid(receiver.p256dh));
        if (kind == 0)
            receiver.p256dh[64] ^= 1; /* beside the curve */
        else if (kind == 1)
            memset(receiver.p256dh, 0, sizeof(receiver.p256dh));
        else if (kind == 2)
            memset(receiver.p256dh + 1, 0, sizeof(receiver.p256dh) - 1);
        else if (kind == 3)
            receiver.p256dh[0] = 6; /* the hybrid form, which OpenSSL would take */
        else if (kind == 4)
            receiver.p256dh[0] = 2;
        else
            memset(receiver.p256dh + 1, 0xff, sizeof(receiver.p256dh) - 1); /* not in the field */
        cr_expect_not(webpush_point_is_valid(receiver.p256dh), "kind %d", kind);
        cr_expect_eq(webpush_encrypt(&body, &receiver, NULL, "x", 1), WEBPUSH_BAD_KEY, "kind %d", kind);
    }
    cr_assert_eq(body.length, 0);
    strbuf_finish(&body);
}
