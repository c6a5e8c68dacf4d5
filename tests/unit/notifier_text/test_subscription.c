#include "bytes.h"

#include "core/subscription.h"

static bool parse(const char *json, bool allows_private, struct subscription *subscription, char error[256])
{
    struct strbuf text;
    strbuf_init(&text, 64);
    bool is_good = subscription_parse(json, strlen(json), allows_private, subscription, &text);
    str_copy(error, 256, text.data);
    strbuf_finish(&text);
    return is_good;
}

static bool endpoint_is_taken(const char *endpoint, bool allows_private, char error[256])
{
    struct subscription subscription;
    char json[8192];
    snprintf(json, sizeof(json), "{\"endpoint\":\"%s\"," EXAMPLE_KEYS "}", endpoint);
    return parse(json, allows_private, &subscription, error);
}

Test(subscription, a_browsers_own)
{
    struct subscription subscription;
    unsigned char auth[WEBPUSH_AUTH_LENGTH];
    char error[256];
    cr_assert(
        parse(" {\"endpoint\":\"https://fcm.googleapis.com/fcm/send/abc:def\",\"expirationTime\":null," EXAMPLE_KEYS
              "}\n",
              false, &subscription, error),
        "%s", error);
    cr_assert_str_eq(subscription.endpoint, "https://fcm.googleapis.com/fcm/send/abc:def");
    cr_assert_str_eq(error, "");
    bytes_of(EXAMPLE_AUTH, auth, sizeof(auth));
    cr_assert_eq(memcmp(subscription.receiver.auth, auth, sizeof(auth)), 0);
    cr_assert(webpush_point_is_valid(subscription.receiver.p256dh));
}

Test(subscription, endpoints)
{
    static const struct {
        const char *endpoint, *problem; /* NULL: taken */
    } rows[] = {
        {"https://updates.push.services.mozilla.com/wpush/v2/gAAA", NULL},
        {"https://push.example.org:8443/x?y=z", NULL},
        {"https://push.example.org", NULL},
        {"http://push.example.org/x", "token.endpoint: must begin with https://"},
        {"HTTPS://push.example.org/x", "token.endpoint: must begin with https://"},
        {"ftp://push.example.org/x", "token.endpoint: must begin with https://"},
        {"file:///etc/passwd", "token.endpoint: must begin with https://"},
        {"", "token.endpoint: must begin with https://"},
        {"https://user:pass@push.example.org/x", "token.endpoint: must not hold credentials"},
        {"https://push.example.org@10.0.0.1/x", "token.endpoint: must not hold credentials"},
        {"https://push.example.org/x#frag", "token.endpoint: must not have a fragment"},
        {"https://push.example.org#@10.0.0.1/", "token.endpoint: must not have a fragment"},
        {"https://push.example.org\\\\@10.0.0.1/", "token.endpoint: must be a URL of plain ASCII characters"},
        {"https://push.example.org/a b", "token.endpoint: must be a URL of plain ASCII characters"},
        {"https://push.example.org/\\r\\nX: y", "token.endpoint: must be a URL of plain ASCII characters"},
        {"https://püsh.example.org/x", "token.endpoint: must be a URL of plain ASCII characters"},
        {"https://127.0.0.1/x", "token.endpoint: must name a public host"},
        {"https://2130706433/x", "token.endpoint: must name a public host"},
        {"https://0x7f.1/x", "token.endpoint: must name a public host"},
        {"https://1.0x7f/x", "token.endpoint: must name a public host"},
        {"https://[::1]/x", "token.endpoint: must name a public host"},
        {"https://localhost/x", "token.endpoint: must name a public host"},
        {"https://example.org./x", "token.endpoint: must name a public host"},
        {"https://a..org/x", "token.endpoint: must name a public host"},
        {"https:///x", "token.endpoint: must name a public host"},
        {"https://:443/x", "token.endpoint: must name a public host"},
        {"https://push.example.org:/x", "token.endpoint: must have a port of 1 to 65535 or none"},
        {"https://push.example.org:0/x", "token.endpoint: must have a port of 1 to 65535 or none"},
        {"https://push.example.org:65536/x", "token.endpoint: must have a port of 1 to 65535 or none"},
        {"https://push.example.org:44x/x", "token.endpoint: must have a port of 1 to 65535 or none"},
    };
    char error[256];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(endpoint_is_taken(rows[i].endpoint, false, error), rows[i].problem == NULL, "%s: %s",
                     rows[i].endpoint, error);
        cr_expect_str_eq(error, rows[i].problem == NULL ? "" : rows[i].problem, "%s: %s", rows[i].endpoint, error);
    }
}

Test(subscription, the_test_setting_lets_private_ones_in)
{
    char error[256];
    cr_expect(endpoint_is_taken("http://127.0.0.1:8080/x", true, error), "%s", error);
    cr_expect(endpoint_is_taken("https://[::1]:8080/x", true, error), "%s", error);
    cr_expect(endpoint_is_taken("https://localhost/x", true, error), "%s", error);
    cr_expect_not(endpoint_is_taken("http://[/x", true, error));
    cr_expect_not(endpoint_is_taken("http://a]/x", true, error));
    cr_expect_not(endpoint_is_taken("http:///x", true, error));
    cr_expect_not(endpoint_is_taken("ftp://127.0.0.1/x", true, error));
    cr_expect_not(endpoint_is_taken("http://user@127.0.0.1/x", true, error));
}

Test(subscription, lengths)
{
    char endpoint[SUBSCRIPTION_ENDPOINT_MAX + 2], error[256];
    for (size_t excess = 0; excess < 2; excess++) {
        memset(endpoint, 'x', sizeof(endpoint));
        memcpy(endpoint, "https://push.example.org/", 25);
        endpoint[SUBSCRIPTION_ENDPOINT_MAX + excess] = '\0';
        cr_expect_eq(endpoint_is_taken(endpoint, false, error), excess == 0, "%s", error);
    }
    cr_expect_str_eq(error, "token.endpoint: must have at most 2048 characters");
    char host[300], json[SUBSCRIPTION_JSON_MAX + 2];
    memset(host, 'x', sizeof(host));
    snprintf(json, sizeof(json), "https://%.250s.org/", host);
    cr_expect_not(endpoint_is_taken(json, false, error));
    memset(json, ' ', sizeof(json) - 1);
    json[sizeof(json) - 1] = '\0';
    struct subscription subscription;
    cr_expect_not(parse(json, false, &subscription, error));
    cr_expect_str_eq(error, "token: must have at most 4096 bytes");
}

#define ENDPOINT "\"endpoint\":\"https://push.example.org/x\""

Test(subscription, errors_name_the_field)
{
    static const char p256dh[] = "token.keys.p256dh: must be base64url (without padding) of 65 bytes",
                      point[] = "token.keys.p256dh: must be an uncompressed point on the curve P-256",
                      auth[] = "token.keys.auth: must be base64url (without padding) of 16 bytes",
                      whole[] = "token: must be the JSON of a PushSubscription";
    static const struct {
        const char *json, *problem;
    } rows[] = {
        {"", whole},
        {"fcm-token", whole},
        {"[]", whole},
        {"{" ENDPOINT "," EXAMPLE_KEYS "} {}", whole},
        {"{" EXAMPLE_KEYS "}", "token.endpoint: must be a string"},
        {"{\"endpoint\":7," EXAMPLE_KEYS "}", "token.endpoint: must be a string"},
        {"{" ENDPOINT "}", "token.keys: must be an object"},
        {"{" ENDPOINT ",\"keys\":\"\"}", "token.keys: must be an object"},
        {"{" ENDPOINT ",\"keys\":{}}", "token.keys.p256dh: must be a string"},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"" EXAMPLE_P256DH "\"}}", "token.keys.auth: must be a string"},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"\",\"auth\":\"" EXAMPLE_AUTH "\"}}", p256dh},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"" EXAMPLE_AUTH "\",\"auth\":\"" EXAMPLE_AUTH "\"}}", p256dh},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"" EXAMPLE_P256DH "=\",\"auth\":\"" EXAMPLE_AUTH "\"}}", p256dh},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"" EXAMPLE_P256DH "AA\",\"auth\":\"" EXAMPLE_AUTH "\"}}", p256dh},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"" EXAMPLE_P256DH "\",\"auth\":\"BTBZMqHH6r4Tts7J_aSI\"}}", auth},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"" EXAMPLE_P256DH "\",\"auth\":\"BTBZMqHH6r4Tts7J_aSIggAA\"}}", auth},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"" EXAMPLE_P256DH "\",\"auth\":\"BTBZMqHH6r4Tts7J/aSIgg\"}}", auth},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZ"
         "GH6SRpkNtoIAiw8\",\"auth\":\"" EXAMPLE_AUTH "\"}}",
         point},
        {"{" ENDPOINT ",\"keys\":{\"p256dh\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAAAAAAAA\",\"auth\":\"" EXAMPLE_AUTH "\"}}",
         point},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct subscription subscription;
        char error[256];
        cr_expect_not(parse(rows[i].json, false, &subscription, error), "%s", rows[i].json);
        cr_expect_str_eq(error, rows[i].problem, "%s: %s", rows[i].json, error);
    }
}

Test(subscription, origins_and_known_services)
{
    static const struct {
        const char *endpoint, *origin;
        bool is_known;
    } rows[] = {
        {"https://FCM.googleapis.com:443/fcm/send/x", "https://fcm.googleapis.com", true},
        {"https://web.push.apple.com/QF", "https://web.push.apple.com", true},
        {"https://wns2-par02p.notify.windows.com/w/?token=a:b", "https://wns2-par02p.notify.windows.com", true},
        {"https://updates.push.services.mozilla.com/x", "https://updates.push.services.mozilla.com", true},
        {"https://fcm.googleapis.com.example.org/x", "https://fcm.googleapis.com.example.org", false},
        {"https://storage.googleapis.com/x", "https://storage.googleapis.com", false},
        {"https://notify.windows.com/x", "https://notify.windows.com", false},
        {"https://push.example.org:8443?x:y", "https://push.example.org:8443", false},
        {"http://push.example.org:80/x", "http://push.example.org", false},
        {"http://[::1]:8080/x", "http://[::1]:8080", false},
        {"http://[::1]/x", "http://[::1]", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf origin;
        strbuf_init(&origin, 64);
        endpoint_origin(rows[i].endpoint, &origin);
        cr_expect_str_eq(origin.data, rows[i].origin);
        cr_expect_eq(endpoint_is_known_service(rows[i].endpoint), rows[i].is_known, "%s", rows[i].endpoint);
        strbuf_finish(&origin);
    }
}
