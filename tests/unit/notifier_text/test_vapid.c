#include "bytes.h"

#include <cjson/cJSON.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <unistd.h>

#include "core/vapid.h"
#include "core/webpush_crypt.h"
#include "tests/support/test_folder.h"

#define NOW_MS 1700000000000ll
#define SUBJECT "mailto:push@example.com"

static char folder[128];

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_key(const char *name, EVP_PKEY *key)
{
    FILE *stream = fopen(in_folder(name), "w");
    cr_assert_eq(PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(stream);
    EVP_PKEY_free(key);
}

static void open_world(void)
{
    test_folder_template(folder, sizeof(folder), "vapid");
    cr_assert_not_null(mkdtemp(folder));
    write_key("vapid.pem", EVP_EC_gen("P-256"));
    write_key("other.pem", EVP_EC_gen("P-384"));
    FILE *stream = fopen(in_folder("text"), "w");
    fputs("no key\n", stream);
    fclose(stream);
}

static void close_world(void)
{
    static const char *const names[] = {"vapid.pem", "other.pem", "text"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(in_folder(names[i]));
    rmdir(folder);
}

TestSuite(vapid, .init = open_world, .fini = close_world);

/* As a push service does it: "t" with the public point of "k". */
static bool is_signed_by(const char *jwt, const char *point_text)
{
    unsigned char point[WEBPUSH_POINT_LENGTH], raw[64], *der = NULL;
    const char *dot = strrchr(jwt, '.');
    bytes_of(point_text, point, sizeof(point));
    bytes_of(dot + 1, raw, sizeof(raw));
    EVP_PKEY *pattern = EVP_EC_gen("P-256"), *key = EVP_PKEY_new();
    EVP_PKEY_copy_parameters(key, pattern);
    cr_assert_eq(EVP_PKEY_set1_encoded_public_key(key, point, sizeof(point)), 1);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
    int der_length = i2d_ECDSA_SIG(pair, &der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
    bool is_good =
        EVP_DigestVerify(context, der, (size_t)der_length, (const unsigned char *)jwt, (size_t)(dot - jwt)) == 1;
    EVP_MD_CTX_free(context);
    ECDSA_SIG_free(pair);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    EVP_PKEY_free(pattern);
    return is_good;
}

static cJSON *part_of(const char *jwt, int number)
{
    struct strbuf json;
    const char *start = jwt;
    for (; number > 0; number--)
        start = strchr(start, '.') + 1;
    strbuf_init(&json, 256);
    cr_assert(base64url_decode(&json, start, strcspn(start, ".")));
    cJSON *root = cJSON_Parse(json.data);
    cr_assert_not_null(root, "%s", json.data);
    strbuf_finish(&json);
    return root;
}

#define TOKEN_8292                                                                                                     \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9."                                                                            \
    "eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6"                                     \
    "Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_"                                                  \
    "HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkS"                                                               \
    "SHzvoD1oA"
#define KEY_8292 "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"

struct header {
    char token[1024], key[128];
};

static struct header header_for(struct vapid *vapid, const char *endpoint, int64_t now_ms)
{
    struct header header;
    struct strbuf error;
    strbuf_init(&error, 64);
    const char *text = vapid_authorization(vapid, endpoint, now_ms, &error);
    cr_assert_not_null(text, "%s", error.data);
    cr_assert_eq(sscanf(text, "vapid t=%1023[^,], k=%127s", header.token, header.key), 2, "%s", text);
    strbuf_finish(&error);
    return header;
}

static struct vapid *load(void)
{
    struct strbuf error;
    strbuf_init(&error, 64);
    struct vapid *vapid = vapid_create(in_folder("vapid.pem"), SUBJECT, &error);
    cr_assert_not_null(vapid, "%s", error.data);
    strbuf_finish(&error);
    return vapid;
}

/* The same claims as in the example, which is older than our clock: only the signature differs, it is random. */
Test(vapid, the_example_of_rfc_8292_and_ours_like_it)
{
    cr_assert(is_signed_by(TOKEN_8292, KEY_8292));
    char changed[] = TOKEN_8292;
    changed[40] ^= 1;
    cr_assert_not(is_signed_by(changed, KEY_8292));
    struct vapid *vapid = load();
    struct header header = header_for(vapid, "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
                                      (1453523768ll - VAPID_LIFE_S) * 1000);
    cr_assert_str_eq(header.key, vapid_public_key(vapid));
    cr_assert(is_signed_by(header.token, header.key));
    cr_assert_not(is_signed_by(header.token, KEY_8292));
    for (int part = 0; part < 2; part++) {
        cJSON *ours = part_of(header.token, part), *example = part_of(TOKEN_8292, part);
        cr_expect(cJSON_Compare(ours, example, true), "part %d", part);
        cJSON_Delete(ours);
        cJSON_Delete(example);
    }
    vapid_destroy(&vapid);
    cr_assert_null(vapid);
}

Test(vapid, a_token_per_origin_that_is_renewed_in_time)
{
    static const int64_t half_ms = (VAPID_LIFE_S - VAPID_RENEW_S) * 1000ll;
    struct vapid *vapid = load();
    struct header first = header_for(vapid, "https://fcm.googleapis.com/fcm/send/a", NOW_MS);
    struct header same = header_for(vapid, "https://FCM.googleapis.com:443/fcm/send/b", NOW_MS + half_ms - 1000);
    cr_expect_str_eq(same.token, first.token);
    struct header other = header_for(vapid, "https://web.push.apple.com/c", NOW_MS);
    cr_expect_str_neq(other.token, first.token);
    struct header renewed = header_for(vapid, "https://fcm.googleapis.com/fcm/send/a", NOW_MS + half_ms);
    cr_expect_str_neq(renewed.token, first.token);
    cJSON *claims = part_of(renewed.token, 1);
    double expires_s = cJSON_GetNumberValue(cJSON_GetObjectItem(claims, "exp"));
    cr_expect_eq((int64_t)expires_s, (NOW_MS + half_ms) / 1000 + 12 * 3600);
    cJSON_Delete(claims);
    struct header back = header_for(vapid, "https://fcm.googleapis.com/fcm/send/a", NOW_MS - 3600000);
    cr_expect_str_neq(back.token, renewed.token, "a clock that was set back");
    vapid_destroy(&vapid);
}

Test(vapid, origins_beyond_the_bound_are_forgotten)
{
    struct vapid *vapid = load();
    struct header first = header_for(vapid, "https://a.example.org/", NOW_MS);
    for (int i = 0; i < VAPID_ORIGINS_MAX; i++) {
        char endpoint[64];
        snprintf(endpoint, sizeof(endpoint), "https://o%d.example.org/", i);
        header_for(vapid, endpoint, NOW_MS);
    }
    struct header again = header_for(vapid, "https://a.example.org/", NOW_MS);
    cr_assert_str_neq(again.token, first.token);
    cr_assert(is_signed_by(again.token, again.key));
    vapid_destroy(&vapid);
}

Test(vapid, bad_settings_are_named)
{
    static const struct {
        const char *file, *subject, *problem;
    } rows[] = {
        {"vapid.pem", "", "webpush_subject: must begin with mailto: or https:"},
        {"vapid.pem", "push@example.com", "webpush_subject: must begin with mailto: or https:"},
        {"other.pem", SUBJECT, "webpush_vapid_key_file: %s: not a PEM private key on P-256"},
        {"text", SUBJECT, "webpush_vapid_key_file: %s: not a PEM private key on P-256"},
        {"missing", "https://example.com/contact", "webpush_vapid_key_file: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf error, expected;
        strbuf_init(&error, 64);
        strbuf_init(&expected, 64);
        const char *hole = strstr(rows[i].problem, "%s");
        strbuf_append(&expected, rows[i].problem,
                      hole == NULL ? strlen(rows[i].problem) : (size_t)(hole - rows[i].problem));
        if (hole != NULL)
            strbuf_appendf(&expected, "%s%s", in_folder(rows[i].file), hole + 2);
        cr_expect_null(vapid_create(in_folder(rows[i].file), rows[i].subject, &error));
        cr_expect_eq(strncmp(error.data, expected.data, expected.length), 0, "%s", error.data);
        strbuf_finish(&error);
        strbuf_finish(&expected);
    }
}
