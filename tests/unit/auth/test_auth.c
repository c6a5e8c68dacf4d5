#include <criterion/criterion.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/sign.h"
#include "wire/wire.h"
#include "tests/support/test_folder.h"

#define NOW_MS 1700000000000ll
#define NOW_S 1700000000ll

static char folder[128];

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *stream = fopen(path, "w");
    cr_assert_not_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void open_world(void)
{
    test_folder_template(folder, sizeof(folder), "auth");
    cr_assert_not_null(mkdtemp(folder));
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *stream = fopen(in_folder("private.pem"), "w");
    cr_assert_eq(PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(stream);
    stream = fopen(in_folder("public.pem"), "w");
    cr_assert_eq(PEM_write_PUBKEY(stream, key), 1);
    fclose(stream);
    EVP_PKEY_free(key);
    write_file("secret", "0123456789abcdef0123456789abcdef\n");
    write_file("keys.json", "{\"keys\":[{\"kid\":\"es\",\"alg\":\"ES256\",\"pem_file\":\"public.pem\"},"
                            "{\"kid\":\"hs\",\"alg\":\"HS256\",\"secret_file\":\"secret\"}]}");
}

static void close_world(void)
{
    static const char *const names[] = {"private.pem", "public.pem", "secret", "keys.json", "bad.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(in_folder(names[i]));
    rmdir(folder);
}

TestSuite(auth, .init = open_world, .fini = close_world);

static struct key_set *load(void)
{
    char *error = NULL;
    struct key_set *keys = key_set_load(in_folder("keys.json"), &error);
    cr_assert_not_null(keys, "%s", error);
    return keys;
}

static char *signed_by(const char *key_file, const char *kid, const char *algorithm)
{
    char *error = NULL;
    struct signer *signer = signer_load(in_folder(key_file), kid, algorithm, &error);
    cr_assert_not_null(signer, "%s", error);
    const char *const scopes[] = {"subscribe:booking.*.tracking", "publish:driver.*.heartbeat"};
    struct token_request request = {.user_id = "u1",
                                    .role = "driver",
                                    .platform = "ios",
                                    .token_id = "j1",
                                    .scopes = scopes,
                                    .scope_count = 2,
                                    .issued_at_s = NOW_S,
                                    .expires_at_s = NOW_S + 600};
    char *token = token_sign(signer, &request, &error);
    cr_assert_not_null(token, "%s", error);
    signer_destroy(&signer);
    return token;
}

/* Made by hand: any header and claims, MAC with any key. */
static char *forged(const char *header, const char *claims, const char *secret, size_t secret_length)
{
    struct strbuf token;
    strbuf_init(&token, 512);
    base64url_encode(&token, header, strlen(header));
    strbuf_append_char(&token, '.');
    base64url_encode(&token, claims, strlen(claims));
    unsigned char mac[32];
    unsigned length = 0;
    HMAC(EVP_sha256(), secret, (int)secret_length, (unsigned char *)token.data, token.length, mac, &length);
    strbuf_append_char(&token, '.');
    if (secret_length > 0)
        base64url_encode(&token, mac, length);
    return token.data;
}

static struct principal *verify(const char *token, int64_t now_ms)
{
    struct key_set *keys = load();
    const char *why = NULL;
    struct principal *principal = token_verify(keys, token, strlen(token), now_ms, &why);
    cr_expect_eq(principal == NULL, why != NULL);
    key_set_destroy(&keys);
    return principal;
}

static bool is_valid(const char *token, int64_t now_ms)
{
    struct principal *principal = verify(token, now_ms);
    bool is_good = principal != NULL;
    principal_unref(&principal);
    return is_good;
}

Test(auth, good_tokens_of_both_kinds)
{
    static const char *const kinds[][3] = {{"private.pem", "es", "ES256"}, {"secret", "hs", "HS256"}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char *token = signed_by(kinds[i][0], kinds[i][1], kinds[i][2]);
        struct principal *principal = verify(token, NOW_MS);
        cr_assert_not_null(principal, "%s", kinds[i][2]);
        cr_assert_str_eq(principal->user_id, "u1");
        cr_assert_eq(principal->role, HANSOM__ROLE__ROLE_DRIVER);
        cr_assert_eq(principal->expires_at_ms, NOW_MS + 600000);
        cr_assert(principal_may(principal, "subscribe", "booking.B.tracking"));
        cr_assert_not(principal_may(principal, "publish", "booking.B.tracking"));
        principal_unref(&principal);
        mem_free(token);
    }
}

Test(auth, any_claims_with_or_without_a_kid)
{
    static const char claims[] = "{\"sub\":\"u2\",\"role\":\"client\",\"iat\":1700000000,\"exp\":1700000600,"
                                 "\"scopes\":[]}";
    static const char *const kids[] = {"es", "", "other"};
    for (size_t i = 0; i < ARRAY_LEN(kids); i++) {
        char *error = NULL;
        struct signer *signer = signer_load(in_folder("private.pem"), kids[i], "ES256", &error);
        char *token = claims_sign(signer, claims, &error);
        cr_assert_not_null(token, "%s", error);
        cr_expect_eq(is_valid(token, NOW_MS), !str_equal(kids[i], "other"), "kid \"%s\"", kids[i]);
        mem_free(token);
        cr_assert_null(claims_sign(signer, "[", &error));
        cr_assert_not_null(error);
        mem_free(error);
        signer_destroy(&signer);
    }
}

Test(auth, time_and_tampering)
{
    char *token = signed_by("private.pem", "es", "ES256");
    cr_expect(is_valid(token, NOW_MS + 660000), "within the skew");
    cr_expect_not(is_valid(token, NOW_MS + 661000), "expired");
    cr_expect_not(is_valid(token, NOW_MS - 61000), "from the future");
    size_t length = strlen(token);
    for (size_t i = 0; i < length; i += 7) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        if (token[i] != kept && strchr(token + i, '.') != NULL)
            cr_expect_not(is_valid(token, NOW_MS), "byte %zu", i);
        token[i] = kept;
    }
    token[length - 1] = '\0';
    cr_expect_not(is_valid(token, NOW_MS), "cut");
    mem_free(token);
    cr_expect_not(is_valid("", NOW_MS));
    cr_expect_not(is_valid("a.b", NOW_MS));
    cr_expect_not(is_valid("a.b.c.d", NOW_MS));
}

#define GOOD_CLAIMS "{\"sub\":\"u1\",\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600}"

Test(auth, the_algorithm_belongs_to_the_key)
{
    static const char secret[] = "0123456789abcdef0123456789abcdef";
    struct strbuf pem;
    char *error = NULL;
    strbuf_init(&pem, 512);
    FILE *stream = fopen(in_folder("public.pem"), "r");
    char buffer[512];
    size_t length = fread(buffer, 1, sizeof(buffer), stream);
    fclose(stream);
    (void)error;
    const struct {
        const char *header, *key;
        size_t key_length;
        bool is_good;
    } rows[] = {
        {"{\"alg\":\"HS256\",\"kid\":\"hs\"}", secret, 32, true},
        {"{\"alg\":\"HS256\"}", secret, 32, true},
        {"{\"alg\":\"HS256\",\"kid\":\"hs\",\"typ\":\"at+jwt\"}", secret, 32, true},
        {"{\"alg\":\"HS256\",\"kid\":\"hs\",\"typ\":\"JOSE\"}", secret, 32, false},
        {"{\"alg\":\"HS256\",\"kid\":\"hs\",\"crit\":[\"x\"]}", secret, 32, false},
        {"{\"alg\":\"HS256\",\"kid\":\"es\"}", buffer, length, false},
        {"{\"alg\":\"HS256\"}", buffer, length, false},
        {"{\"alg\":\"none\"}", "", 0, false},
        {"{\"alg\":\"none\",\"kid\":\"hs\"}", secret, 32, false},
        {"{\"alg\":\"hs256\",\"kid\":\"hs\"}", secret, 32, false},
        {"{\"kid\":\"hs\"}", secret, 32, false},
        {"{\"alg\":\"HS256\",\"kid\":\"other\"}", secret, 32, false},
        {"{\"alg\":\"HS256\",\"kid\":7}", secret, 32, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *token = forged(rows[i].header, GOOD_CLAIMS, rows[i].key, rows[i].key_length);
        cr_expect_eq(is_valid(token, NOW_MS), rows[i].is_good, "%s", rows[i].header);
        mem_free(token);
    }
    strbuf_finish(&pem);
}

Test(auth, every_claim_has_its_type)
{
    static const char *const bad[] = {
        "{\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600}",
        "{\"sub\":1,\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600}",
        "{\"sub\":\"a.b\",\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600}",
        "{\"sub\":\"u\",\"role\":\"king\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600}",
        "{\"sub\":\"u\",\"role\":\"client\",\"iat\":1700000000,\"exp\":1700000600}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":\"x\",\"iat\":1700000000,\"exp\":1700000600}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":[\"fly:x\"],\"iat\":1700000000,\"exp\":1700000600}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":[],\"iat\":1700000000}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":[],\"exp\":1700000600}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":\"1700000600\"}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600.5}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600,\"nbf\":1700000999}",
        "{\"sub\":\"u\",\"role\":\"client\",\"scopes\":[],\"iat\":1700000000,\"exp\":1700000600,\"platform\":1}",
        "[]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *token = forged("{\"alg\":\"HS256\",\"kid\":\"hs\"}", bad[i], "0123456789abcdef0123456789abcdef", 32);
        cr_expect_not(is_valid(token, NOW_MS), "%s", bad[i]);
        mem_free(token);
    }
}

Test(auth, key_sets_say_what_is_wrong)
{
    static const char *const bad[][2] = {
        {"[]", "not a JSON object"},
        {"{\"keys\":[]}", "keys"},
        {"{\"keys\":[{\"alg\":\"ES256\"}]}", "keys[0].kid"},
        {"{\"keys\":[{\"kid\":\"a\",\"alg\":\"none\"}]}", "keys[0].alg"},
        {"{\"keys\":[{\"kid\":\"a\",\"alg\":\"ES256\",\"pem_file\":\"nowhere\"}]}", "keys[0].pem_file"},
        {"{\"keys\":[{\"kid\":\"a\",\"alg\":\"RS256\",\"pem_file\":\"public.pem\"}]}", "does not fit"},
        {"{\"keys\":[{\"kid\":\"a\",\"alg\":\"HS256\",\"secret_file\":\"bad.json\"}]}", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(bad) - 1; i++) {
        char *error = NULL;
        write_file("bad.json", bad[i][0]);
        struct key_set *keys = key_set_load(in_folder("bad.json"), &error);
        cr_assert_null(keys);
        cr_expect_not_null(strstr(error, bad[i][1]), "%s", error);
        mem_free(error);
    }
}

Test(auth, the_cache_remembers_until_the_end)
{
    struct key_set *keys = load();
    struct token_cache *cache = token_cache_create(1);
    const char *why;
    char *first = signed_by("private.pem", "es", "ES256"), *second = signed_by("secret", "hs", "HS256");
    struct principal *a = token_cache_verify(cache, keys, first, strlen(first), NOW_MS, &why);
    struct principal *again = token_cache_verify(cache, keys, first, strlen(first), NOW_MS, &why);
    cr_assert_eq(a, again);
    struct principal *b = token_cache_verify(cache, keys, second, strlen(second), NOW_MS, &why);
    cr_assert_not_null(b);
    struct principal *late = token_cache_verify(cache, keys, second, strlen(second), NOW_MS + 700000, &why);
    cr_assert_null(late);
    principal_unref(&a);
    principal_unref(&again);
    principal_unref(&b);
    token_cache_destroy(&cache);
    key_set_destroy(&keys);
    mem_free(first);
    mem_free(second);
}

Test(auth, base64url)
{
    struct strbuf out;
    strbuf_init(&out, 16);
    base64url_encode(&out, "\xfb\xff\xfe", 3);
    cr_assert_str_eq(out.data, "-__-");
    strbuf_clear(&out);
    cr_assert_not(base64url_decode(&out, "a", 1));
    cr_assert_not(base64url_decode(&out, "ab=", 3));
    cr_assert_not(base64url_decode(&out, "aB", 2), "left-over bits");
    strbuf_finish(&out);
}
