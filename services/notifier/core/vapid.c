#include "core/vapid.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "auth/auth.h"
#include "auth/sign.h"
#include "base/file.h"
#include "base/json_writer.h"
#include "base/lru_cache.h"
#include "core/subscription.h"

struct vapid {
    struct signer *signer;
    char *subject, *public_key;
    struct lru_cache *tokens; /* by origin: struct token */
    struct strbuf origin;
};

struct token {
    int64_t expires_s;
    char *authorization;
};

static void token_free(void *value)
{
    struct token *token = value;
    mem_free(token->authorization);
    mem_free(token);
}

static bool read_point(EVP_PKEY *key, struct strbuf *point)
{
    char group[32] = "";
    size_t length = 0;
    unsigned char *bytes = NULL;
    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof(group), &length) != 1 ||
        !str_equal(group, "prime256v1"))
        return false;
    length = EVP_PKEY_get1_encoded_public_key(key, &bytes);
    if (length == WEBPUSH_POINT_LENGTH)
        base64url_encode(point, bytes, length);
    OPENSSL_free(bytes);
    return length == WEBPUSH_POINT_LENGTH;
}

static char *public_key_of(const char *key_file)
{
    struct strbuf pem, point;
    char *file_error = NULL, *result = NULL;
    strbuf_init(&pem, 512);
    strbuf_init(&point, 96);
    EVP_PKEY *key = NULL;
    if (file_read(key_file, &pem, &file_error)) {
        BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
        BIO_free(bio);
    }
    if (key != NULL && read_point(key, &point))
        result = strbuf_take(&point);
    EVP_PKEY_free(key);
    OPENSSL_cleanse(pem.data, pem.length);
    strbuf_finish(&pem);
    strbuf_finish(&point);
    mem_free(file_error);
    return result;
}

static bool load(struct vapid *vapid, const char *key_file, struct strbuf *error)
{
    char *problem = NULL;
    vapid->signer = signer_load(key_file, "", "ES256", &problem);
    vapid->public_key = vapid->signer == NULL ? NULL : public_key_of(key_file);
    if (vapid->signer == NULL)
        strbuf_appendf(error, "webpush_vapid_key_file: %s", problem);
    else if (vapid->public_key == NULL)
        strbuf_appendf(error, "webpush_vapid_key_file: %s: not a PEM private key on P-256", key_file);
    mem_free(problem);
    return vapid->public_key != NULL;
}

struct vapid *vapid_create(const char *key_file, const char *subject, struct strbuf *error)
{
    if (strncmp(subject, "mailto:", 7) != 0 && strncmp(subject, "https:", 6) != 0) {
        strbuf_append_string(error, "webpush_subject: must begin with mailto: or https:");
        return NULL;
    }
    struct vapid *vapid = mem_alloc(sizeof(*vapid));
    vapid->subject = mem_strdup(subject);
    vapid->tokens = lru_cache_create(VAPID_ORIGINS_MAX, token_free);
    strbuf_init(&vapid->origin, 64);
    if (!load(vapid, key_file, error))
        vapid_destroy(&vapid);
    return vapid;
}

void vapid_destroy(struct vapid **vapid_pointer)
{
    struct vapid *vapid = *vapid_pointer;
    *vapid_pointer = NULL;
    if (vapid == NULL)
        return;
    signer_destroy(&vapid->signer);
    lru_cache_destroy(&vapid->tokens);
    strbuf_finish(&vapid->origin);
    mem_free(vapid->subject);
    mem_free(vapid->public_key);
    mem_free(vapid);
}

const char *vapid_public_key(const struct vapid *vapid)
{
    return vapid->public_key;
}

static void write_claims(struct strbuf *claims, const struct vapid *vapid, int64_t expires_s)
{
    struct json_writer json;
    json_writer_init(&json, claims);
    json_begin_object(&json);
    json_kv_string(&json, "aud", vapid->origin.data);
    json_kv_int(&json, "exp", expires_s);
    json_kv_string(&json, "sub", vapid->subject);
    json_end_object(&json);
}

static struct token *token_new(const struct vapid *vapid, int64_t now_ms, struct strbuf *error)
{
    struct strbuf text;
    char *problem = NULL;
    int64_t expires_s = now_ms / 1000 + VAPID_LIFE_S;
    strbuf_init(&text, 512);
    write_claims(&text, vapid, expires_s);
    char *jwt = claims_sign(vapid->signer, text.data, &problem);
    strbuf_clear(&text);
    struct token *token = NULL;
    if (jwt == NULL) {
        strbuf_append_string(error, problem);
    } else {
        strbuf_appendf(&text, "vapid t=%s, k=%s", jwt, vapid->public_key);
        token = mem_alloc(sizeof(*token));
        token->expires_s = expires_s;
        token->authorization = strbuf_take(&text);
    }
    mem_free(jwt);
    mem_free(problem);
    strbuf_finish(&text);
    return token;
}

/* Also when our clock went back: then it lives longer than a token may. */
static bool is_usable(const struct token *token, int64_t now_ms)
{
    int64_t left_s = token->expires_s - now_ms / 1000;
    return left_s > VAPID_RENEW_S && left_s <= VAPID_LIFE_S;
}

const char *vapid_authorization(struct vapid *vapid, const char *endpoint, int64_t now_ms, struct strbuf *error)
{
    strbuf_clear(&vapid->origin);
    endpoint_origin(endpoint, &vapid->origin);
    struct token *token = lru_cache_get(vapid->tokens, vapid->origin.data);
    if (token != NULL && is_usable(token, now_ms))
        return token->authorization;
    token = token_new(vapid, now_ms, error);
    if (token == NULL)
        return NULL;
    lru_cache_set(vapid->tokens, vapid->origin.data, token);
    return token->authorization;
}
