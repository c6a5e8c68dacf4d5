/* RFC 7519 and RFC 8725: the algorithm belongs to the key, never to the token. */
#include <cjson/cJSON.h>
#include <math.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <strings.h>

#include "auth/auth_priv.h"
#include "wire/wire.h"

#define ES256_HALF 32
#define SECONDS_MAX 253402300799.0 /* 9999-12-31 */
#define SCOPE_LENGTH_MAX 200

struct parts {
    const char *text;
    size_t header_length, signed_length, length;
};

static bool split(const char *token, size_t length, struct parts *parts)
{
    const char *first = memchr(token, '.', length);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', length - (size_t)(first + 1 - token));
    if (second == NULL || memchr(second + 1, '.', length - (size_t)(second + 1 - token)) != NULL)
        return false;
    *parts = (struct parts){token, (size_t)(first - token), (size_t)(second - token), length};
    return true;
}

static cJSON *decode_object(const char *text, size_t length)
{
    struct strbuf json;
    strbuf_init(&json, length);
    cJSON *root = NULL;
    if (base64url_decode(&json, text, length) && memchr(json.data, '\0', json.length) == NULL)
        root = cJSON_ParseWithLength(json.data, json.length);
    strbuf_finish(&json);
    if (cJSON_IsObject(root))
        return root;
    cJSON_Delete(root);
    return NULL;
}

/* --- signature ---------------------------------------------------------------------------------------------------- */

/* JWS has r and s side by side (RFC 7518 3.4), OpenSSL wants them in DER. */
static bool verify_es256(EVP_PKEY *key, const struct parts *parts, const struct strbuf *signature)
{
    if (signature->length != 2 * ES256_HALF)
        return false;
    const unsigned char *raw = (const unsigned char *)signature->data;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(raw, ES256_HALF, NULL), BN_bin2bn(raw + ES256_HALF, ES256_HALF, NULL));
    unsigned char *der = NULL;
    int der_length = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = der_length > 0 && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                   EVP_DigestVerify(context, der, (size_t)der_length, (const unsigned char *)parts->text,
                                    parts->signed_length) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return is_good;
}

static bool verify_digest(EVP_PKEY *key, const EVP_MD *digest, const struct parts *parts,
                          const struct strbuf *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
                   EVP_DigestVerify(context, (const unsigned char *)signature->data, signature->length,
                                    (const unsigned char *)parts->text, parts->signed_length) == 1;
    EVP_MD_CTX_free(context);
    return is_good;
}

static bool verify_hs256(const struct key *key, const struct parts *parts, const struct strbuf *signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    HMAC(EVP_sha256(), key->secret, (int)key->secret_length, (const unsigned char *)parts->text, parts->signed_length,
         mac, &length);
    return signature->length == length && CRYPTO_memcmp(mac, signature->data, length) == 0;
}

static bool verify_with(const struct key *key, const struct parts *parts, const struct strbuf *signature)
{
    switch (key->algorithm) {
    case ALGORITHM_ES256:
        return verify_es256(key->public_key, parts, signature);
    case ALGORITHM_RS256:
        return verify_digest(key->public_key, EVP_sha256(), parts, signature);
    case ALGORITHM_EDDSA:
        return verify_digest(key->public_key, NULL, parts, signature);
    case ALGORITHM_HS256:
        return verify_hs256(key, parts, signature);
    case ALGORITHM_COUNT:
        break;
    }
    return false;
}

static bool is_type_allowed(const cJSON *header)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(header, "typ");
    return type == NULL || (cJSON_IsString(type) && (strcasecmp(type->valuestring, "JWT") == 0 ||
                                                     strcasecmp(type->valuestring, "at+jwt") == 0));
}

static bool check_signature(const struct key_set *keys, const struct parts *parts, const cJSON *header)
{
    enum algorithm algorithm;
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(header, "alg"));
    const cJSON *kid = cJSON_GetObjectItemCaseSensitive(header, "kid");
    if (name == NULL || !algorithm_from_name(name, &algorithm) || !is_type_allowed(header) ||
        cJSON_GetObjectItemCaseSensitive(header, "crit") != NULL || (kid != NULL && !cJSON_IsString(kid)))
        return false;
    struct strbuf signature;
    strbuf_init(&signature, 512);
    bool is_good =
        base64url_decode(&signature, parts->text + parts->signed_length + 1, parts->length - parts->signed_length - 1);
    bool is_verified = false;
    for (size_t i = 0; i < keys->count && is_good && !is_verified; i++) {
        const struct key *key = &keys->keys[i];
        bool is_chosen = kid == NULL || str_equal(kid->valuestring, key->kid);
        is_verified = is_chosen && key->algorithm == algorithm && verify_with(key, parts, &signature);
    }
    strbuf_finish(&signature);
    return is_verified;
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

/* Whole seconds; absent: *seconds_r is untouched and is_required decides. */
static bool read_seconds(const cJSON *claims, const char *name, bool is_required, int64_t *seconds_r)
{
    const cJSON *claim = cJSON_GetObjectItemCaseSensitive(claims, name);
    if (claim == NULL)
        return !is_required;
    if (!cJSON_IsNumber(claim) || claim->valuedouble < 0 || claim->valuedouble > SECONDS_MAX ||
        claim->valuedouble != floor(claim->valuedouble))
        return false;
    *seconds_r = (int64_t)claim->valuedouble;
    return true;
}

static const char *check_times(const cJSON *claims, int64_t now_s, struct principal *principal)
{
    int64_t expires_s = 0, issued_s = 0, not_before_s = 0;
    if (!read_seconds(claims, "exp", true, &expires_s) || !read_seconds(claims, "iat", true, &issued_s) ||
        !read_seconds(claims, "nbf", false, &not_before_s))
        return "time_claims";
    if (now_s > expires_s + AUTH_CLOCK_SKEW_S)
        return "expired";
    if (issued_s > now_s + AUTH_CLOCK_SKEW_S || not_before_s > now_s + AUTH_CLOCK_SKEW_S)
        return "not_yet_valid";
    principal->issued_at_ms = issued_s * 1000;
    principal->expires_at_ms = expires_s * 1000;
    return NULL;
}

static bool audience_fits(const cJSON *audience, const char *wanted)
{
    if (cJSON_IsString(audience))
        return str_equal(audience->valuestring, wanted);
    const cJSON *item;
    cJSON_ArrayForEach(item, audience)
    {
        if (cJSON_IsString(item) && str_equal(item->valuestring, wanted))
            return true;
    }
    return false;
}

static const char *check_party(const struct key_set *keys, const cJSON *claims)
{
    const cJSON *issuer = cJSON_GetObjectItemCaseSensitive(claims, "iss");
    const cJSON *audience = cJSON_GetObjectItemCaseSensitive(claims, "aud");
    if (keys->issuer != NULL && (!cJSON_IsString(issuer) || !str_equal(issuer->valuestring, keys->issuer)))
        return "issuer";
    if (keys->audience != NULL && !audience_fits(audience, keys->audience))
        return "audience";
    return NULL;
}

static const char *read_identity(const cJSON *claims, struct principal *principal)
{
    const char *user_id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(claims, "sub"));
    const char *role = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(claims, "role"));
    const cJSON *platform = cJSON_GetObjectItemCaseSensitive(claims, "platform");
    const cJSON *token_id = cJSON_GetObjectItemCaseSensitive(claims, "jti");
    if (user_id == NULL || !is_id(user_id))
        return "sub";
    principal->role = role == NULL ? 0 : (int)role_from_text(role);
    if (principal->role == 0)
        return "role";
    if ((platform != NULL && !cJSON_IsString(platform)) || (token_id != NULL && !cJSON_IsString(token_id)))
        return "text_claims";
    principal->user_id = mem_strdup(user_id);
    principal->platform = platform == NULL ? NULL : mem_strdup(platform->valuestring);
    principal->token_id = token_id == NULL ? NULL : mem_strdup(token_id->valuestring);
    return NULL;
}

static bool is_scope(const cJSON *item)
{
    if (!cJSON_IsString(item) || strlen(item->valuestring) > SCOPE_LENGTH_MAX)
        return false;
    const char *text = item->valuestring;
    return (strncmp(text, "subscribe:", 10) == 0 && text[10] != '\0') ||
           (strncmp(text, "publish:", 8) == 0 && text[8] != '\0');
}

static const char *read_scopes(const cJSON *claims, struct principal *principal)
{
    const cJSON *scopes = cJSON_GetObjectItemCaseSensitive(claims, "scopes");
    if (!cJSON_IsArray(scopes) || cJSON_GetArraySize(scopes) > AUTH_SCOPES_MAX)
        return "scopes";
    principal->scopes = mem_alloc(((size_t)cJSON_GetArraySize(scopes) + 1) * sizeof(*principal->scopes));
    const cJSON *item;
    cJSON_ArrayForEach(item, scopes)
    {
        if (!is_scope(item))
            return "scopes";
        principal->scopes[principal->scope_count++] = mem_strdup(item->valuestring);
    }
    return NULL;
}

static const char *read_claims(const struct key_set *keys, const cJSON *claims, int64_t now_ms,
                               struct principal *principal)
{
    const char *why = check_times(claims, now_ms / 1000, principal);
    if (why == NULL)
        why = check_party(keys, claims);
    if (why == NULL)
        why = read_identity(claims, principal);
    return why != NULL ? why : read_scopes(claims, principal);
}

struct principal *token_verify(const struct key_set *keys, const char *token, size_t length, int64_t now_ms,
                               const char **why_r)
{
    struct parts parts;
    *why_r = "malformed";
    if (length > AUTH_TOKEN_LENGTH_MAX || !split(token, length, &parts))
        return NULL;
    cJSON *header = decode_object(token, parts.header_length);
    bool is_signed = header != NULL && check_signature(keys, &parts, header);
    cJSON_Delete(header);
    if (!is_signed) {
        *why_r = "signature";
        return NULL;
    }
    cJSON *claims = decode_object(token + parts.header_length + 1, parts.signed_length - parts.header_length - 1);
    if (claims == NULL)
        return NULL;
    struct principal *principal = mem_alloc(sizeof(*principal));
    principal->references = 1;
    *why_r = read_claims(keys, claims, now_ms, principal);
    cJSON_Delete(claims);
    if (*why_r != NULL)
        principal_unref(&principal);
    return principal;
}
