#include "seal.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "auth/auth.h"
#include "base/file.h"
#include "base/ids.h"

#define NONCE_SIZE 12
#define TAG_SIZE 16
#define KEY_LABEL "hansom backoffice sealed answers 1\n"

struct sealer {
    unsigned char key[SHA256_DIGEST_LENGTH];
};

struct sealer *sealer_load(const char *secret_path, char **error_r)
{
    struct strbuf secret, material;
    strbuf_init(&secret, 1024);
    strbuf_init(&material, 2048);
    struct sealer *sealer = NULL;
    if (file_read(secret_path, &secret, error_r)) {
        sealer = mem_alloc(sizeof(*sealer));
        strbuf_append_string(&material, KEY_LABEL);
        strbuf_append(&material, secret.data, secret.length);
        SHA256((const unsigned char *)material.data, material.length, sealer->key);
    }
    explicit_bzero(secret.data, secret.length);
    explicit_bzero(material.data, material.length);
    strbuf_finish(&secret);
    strbuf_finish(&material);
    return sealer;
}

void sealer_destroy(struct sealer **sealer_pointer)
{
    struct sealer *sealer = *sealer_pointer;
    *sealer_pointer = NULL;
    if (sealer != NULL)
        explicit_bzero(sealer->key, sizeof(sealer->key));
    mem_free(sealer);
}

void seal(const struct sealer *sealer, const char *context, const struct strbuf *plain, struct strbuf *out)
{
    size_t size = NONCE_SIZE + plain->length + TAG_SIZE;
    unsigned char *box = mem_alloc(size);
    random_bytes(box, NONCE_SIZE);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int length = 0, last = 0;
    bool is_good =
        EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, sealer->key, box) == 1 &&
        EVP_EncryptUpdate(cipher, NULL, &length, (const unsigned char *)context, (int)strlen(context)) == 1 &&
        EVP_EncryptUpdate(cipher, box + NONCE_SIZE, &length, (const unsigned char *)plain->data, (int)plain->length) ==
            1 &&
        EVP_EncryptFinal_ex(cipher, box + NONCE_SIZE + length, &last) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, box + NONCE_SIZE + plain->length) == 1;
    EVP_CIPHER_CTX_free(cipher);
    ASSERT(is_good);
    base64url_encode(out, box, size);
    mem_free(box);
}

static bool open_box(const struct sealer *sealer, const char *context, struct strbuf *box, struct strbuf *plain)
{
    if (box->length < NONCE_SIZE + TAG_SIZE)
        return false;
    size_t size = box->length - NONCE_SIZE - TAG_SIZE;
    unsigned char *bytes = (unsigned char *)box->data, *text = (unsigned char *)strbuf_reserve(plain, size + 1);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int length = 0, last = 0;
    bool is_good =
        EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, sealer->key, bytes) == 1 &&
        EVP_DecryptUpdate(cipher, NULL, &length, (const unsigned char *)context, (int)strlen(context)) == 1 &&
        EVP_DecryptUpdate(cipher, text, &length, bytes + NONCE_SIZE, (int)size) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, bytes + NONCE_SIZE + size) == 1 &&
        EVP_DecryptFinal_ex(cipher, text + length, &last) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (is_good)
        strbuf_grown(plain, size);
    return is_good;
}

bool seal_open(const struct sealer *sealer, const char *context, const char *sealed, struct strbuf *plain)
{
    struct strbuf box;
    strbuf_init(&box, 1024);
    bool is_good = base64url_decode(&box, sealed, strlen(sealed)) && open_box(sealer, context, &box, plain);
    strbuf_finish(&box);
    return is_good;
}
