#include <cjson/cJSON.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/auth_priv.h"
#include "base/file.h"

#define HS256_SECRET_MIN 32
#define RSA_BITS_MIN 2048

static const char *const algorithm_names[ALGORITHM_COUNT] = {"ES256", "RS256", "EdDSA", "HS256"};

const char *algorithm_name(enum algorithm algorithm)
{
    return algorithm_names[algorithm];
}

bool algorithm_from_name(const char *name, enum algorithm *algorithm_r)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (str_equal(name, algorithm_names[i])) {
            *algorithm_r = (enum algorithm)i;
            return true;
        }
    }
    return false;
}

static bool fail(struct strbuf *error, const char *what)
{
    strbuf_append_string(error, what);
    return false;
}

static bool key_fits(const EVP_PKEY *key, enum algorithm algorithm)
{
    char group[32] = "";
    size_t length = 0;
    switch (algorithm) {
    case ALGORITHM_ES256:
        return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &length) == 1 &&
               str_equal(group, "prime256v1");
    case ALGORITHM_RS256:
        return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    case ALGORITHM_EDDSA:
        return EVP_PKEY_is_a(key, "ED25519");
    case ALGORITHM_HS256:
    case ALGORITHM_COUNT:
        break;
    }
    return false;
}

static bool read_pem(struct key *key, const struct strbuf *pem, struct strbuf *error)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->length);
    key->public_key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (key->public_key == NULL)
        return fail(error, "pem_file: not a PEM public key");
    return key_fits(key->public_key, key->algorithm) || fail(error, "pem_file: the key does not fit the algorithm");
}

static bool read_secret(struct key *key, const struct strbuf *secret, struct strbuf *error)
{
    if (secret->length < HS256_SECRET_MIN)
        return fail(error, "secret_file: must hold at least 32 bytes");
    key->secret = mem_strndup(secret->data, secret->length);
    key->secret_length = secret->length;
    return true;
}

/* Relative names are relative to the key set's folder. */
static void resolve(struct strbuf *out, const char *set_path, const char *name)
{
    const char *slash = strrchr(set_path, '/');
    if (*name != '/' && slash != NULL)
        strbuf_append(out, set_path, (size_t)(slash - set_path) + 1);
    strbuf_append_string(out, name);
}

static bool read_key_file(struct key *key, const char *set_path, const cJSON *object, struct strbuf *error)
{
    bool is_shared = key->algorithm == ALGORITHM_HS256;
    const char *field = is_shared ? "secret_file" : "pem_file";
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, field));
    if (name == NULL) {
        strbuf_appendf(error, "%s: missing", field);
        return false;
    }
    struct strbuf path, content;
    char *file_error = NULL;
    strbuf_init(&path, 128);
    strbuf_init(&content, 1024);
    resolve(&path, set_path, name);
    bool is_read = file_read_line(path.data, &content, &file_error);
    if (!is_read)
        strbuf_appendf(error, "%s: %s", field, file_error);
    bool is_good = is_read && (is_shared ? read_secret(key, &content, error) : read_pem(key, &content, error));
    mem_free(file_error);
    strbuf_finish(&path);
    strbuf_finish(&content);
    return is_good;
}

static bool read_key(struct key *key, const char *set_path, const cJSON *object, struct strbuf *error)
{
    const char *kid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "kid"));
    const char *algorithm = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "alg"));
    if (kid == NULL || *kid == '\0')
        return fail(error, "kid: missing");
    if (algorithm == NULL || !algorithm_from_name(algorithm, &key->algorithm))
        return fail(error, "alg: must be ES256, RS256, EdDSA or HS256");
    key->kid = mem_strdup(kid);
    return read_key_file(key, set_path, object, error);
}

static bool read_keys(struct key_set *set, const char *path, const cJSON *root, struct strbuf *error)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(root, "keys");
    int count = cJSON_IsArray(array) ? cJSON_GetArraySize(array) : 0;
    if (count == 0)
        return fail(error, "keys: must be an array with at least one key");
    set->keys = mem_alloc((size_t)count * sizeof(*set->keys));
    const cJSON *object;
    cJSON_ArrayForEach(object, array)
    {
        size_t length = error->length;
        strbuf_appendf(error, "keys[%zu].", set->count);
        if (!read_key(&set->keys[set->count++], path, object, error))
            return false;
        error->length = length;
        error->data[length] = '\0';
    }
    return true;
}

static char *optional_string(const cJSON *root, const char *name)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, name));
    return value == NULL ? NULL : mem_strdup(value);
}

struct key_set *key_set_load(const char *path, char **error_r)
{
    struct key_set *set = mem_alloc(sizeof(*set));
    struct strbuf content, error;
    strbuf_init(&content, 1024);
    strbuf_init(&error, 128);
    bool is_good = file_read(path, &content, error_r);
    if (is_good) {
        cJSON *root = cJSON_ParseWithLength(content.data, content.length);
        strbuf_appendf(&error, "%s: ", path);
        is_good = cJSON_IsObject(root) ? read_keys(set, path, root, &error) : fail(&error, "not a JSON object");
        set->issuer = optional_string(root, "issuer");
        set->audience = optional_string(root, "audience");
        cJSON_Delete(root);
        if (!is_good)
            *error_r = strbuf_take(&error);
    }
    strbuf_finish(&content);
    strbuf_finish(&error);
    if (!is_good)
        key_set_destroy(&set);
    return set;
}

void key_set_destroy(struct key_set **set_pointer)
{
    struct key_set *set = *set_pointer;
    *set_pointer = NULL;
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        mem_free(set->keys[i].kid);
        mem_free(set->keys[i].secret);
        EVP_PKEY_free(set->keys[i].public_key);
    }
    mem_free(set->keys);
    mem_free(set->issuer);
    mem_free(set->audience);
    mem_free(set);
}
