#include "auth/sign.h"

#include <errno.h>
#include <jwt.h>

#include "base/file.h"
#include "base/json_writer.h"

struct signer {
    struct strbuf key;
    char *kid;
    jwt_alg_t algorithm;
};

struct signer *signer_load(const char *key_path, const char *kid, const char *algorithm, char **error_r)
{
    struct signer *signer = mem_alloc(sizeof(*signer));
    strbuf_init(&signer->key, 512);
    signer->kid = mem_strdup(kid);
    signer->algorithm = jwt_str_alg(algorithm);
    bool is_known =
        signer->algorithm == JWT_ALG_ES256 || signer->algorithm == JWT_ALG_RS256 || signer->algorithm == JWT_ALG_HS256;
    if (!is_known)
        *error_r = mem_strdup("alg: must be ES256, RS256 or HS256");
    bool is_shared = signer->algorithm == JWT_ALG_HS256;
    bool is_good = is_known && (is_shared ? file_read_line(key_path, &signer->key, error_r)
                                          : file_read(key_path, &signer->key, error_r));
    if (!is_good)
        signer_destroy(&signer);
    return signer;
}

void signer_destroy(struct signer **signer_pointer)
{
    struct signer *signer = *signer_pointer;
    *signer_pointer = NULL;
    if (signer == NULL)
        return;
    explicit_bzero(signer->key.data, signer->key.length);
    strbuf_finish(&signer->key);
    mem_free(signer->kid);
    mem_free(signer);
}

static void write_claims(struct json_writer *json, const struct token_request *request)
{
    json_begin_object(json);
    json_kv_string(json, "sub", request->user_id);
    json_kv_string(json, "role", request->role);
    if (request->platform != NULL)
        json_kv_string(json, "platform", request->platform);
    if (request->issuer != NULL)
        json_kv_string(json, "iss", request->issuer);
    if (request->audience != NULL)
        json_kv_string(json, "aud", request->audience);
    json_kv_string(json, "jti", request->token_id);
    json_kv_int(json, "iat", request->issued_at_s);
    json_kv_int(json, "exp", request->expires_at_s);
    json_key(json, "scopes");
    json_begin_array(json);
    for (size_t i = 0; i < request->scope_count; i++)
        json_string(json, request->scopes[i]);
    json_end_array(json);
    json_end_object(json);
}

static int fill(jwt_t *token, const struct signer *signer, const char *claims_json)
{
    int error = jwt_add_grants_json(token, claims_json);
    if (error == 0 && *signer->kid != '\0')
        error = jwt_add_header(token, "kid", signer->kid);
    if (error == 0)
        error = jwt_set_alg(token, signer->algorithm, (const unsigned char *)signer->key.data, (int)signer->key.length);
    return error;
}

char *claims_sign(struct signer *signer, const char *claims_json, char **error_r)
{
    jwt_t *token = NULL;
    int error = jwt_new(&token);
    if (error == 0)
        error = fill(token, signer, claims_json);
    char *encoded = error == 0 ? jwt_encode_str(token) : NULL;
    char *result = encoded == NULL ? NULL : mem_strdup(encoded);
    if (result == NULL)
        *error_r = mem_strdup(strerror(error != 0 ? error : errno));
    free(encoded);
    jwt_free(token);
    return result;
}

char *token_sign(struct signer *signer, const struct token_request *request, char **error_r)
{
    struct strbuf claims;
    struct json_writer json;
    strbuf_init(&claims, 512);
    json_writer_init(&json, &claims);
    write_claims(&json, request);
    char *token = claims_sign(signer, claims.data, error_r);
    strbuf_finish(&claims);
    return token;
}

const char *const *role_default_scopes(const char *role)
{
    static const char *const client[] = {"subscribe:booking.*.tracking",
                                         "subscribe:booking.*.chat",
                                         "subscribe:booking.*.presence",
                                         "subscribe:user.*.events",
                                         "subscribe:driver.*.presence",
                                         "publish:booking.*.chat",
                                         NULL};
    static const char *const driver[] = {"subscribe:booking.*.tracking", "subscribe:booking.*.chat",
                                         "subscribe:booking.*.presence", "subscribe:user.*.events",
                                         "publish:booking.*.tracking",   "publish:booking.*.chat",
                                         "publish:driver.*.heartbeat",   NULL};
    static const char *const support[] = {"subscribe:booking.>", "subscribe:user.*.events",
                                          "subscribe:driver.*.presence", "publish:booking.*.chat", NULL};
    static const char *const admin[] = {"subscribe:>", "publish:booking.*.chat", NULL};
    static const struct {
        const char *role;
        const char *const *scopes;
    } rows[] = {{"client", client}, {"driver", driver}, {"support", support}, {"admin", admin}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_equal(rows[i].role, role))
            return rows[i].scopes;
    return NULL;
}
