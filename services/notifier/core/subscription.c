#include "core/subscription.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <strings.h>

#include "auth/auth.h"
#include "wire/wire.h"

#define HOST_MAX 253
#define PORT_DIGITS_MAX 5
#define PORT_MAX 65535

static bool fail(struct strbuf *error, const char *field, const char *what)
{
    strbuf_appendf(error, "token.%s: %s", field, what);
    return false;
}

/* --- the endpoint --- */

struct url {
    const char *host, *port; /* port: NULL if there is none */
    size_t scheme_length, host_length, port_length;
};

/* Neither spaces and control characters nor what parsers of URLs disagree about. */
static bool has_plain_characters(const char *url)
{
    for (const char *at = url; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || strchr("\"<>\\^`{|}", *at) != NULL)
            return false;
    return true;
}

static const char *split(const char *endpoint, bool allows_private, struct url *url)
{
    bool is_http = allows_private && strncmp(endpoint, "http://", 7) == 0;
    if (!is_http && strncmp(endpoint, "https://", 8) != 0)
        return "must begin with https://";
    *url = (struct url){.scheme_length = is_http ? 4 : 5};
    url->host = endpoint + url->scheme_length + 3;
    size_t length = strcspn(url->host, "/?#");
    if (memchr(url->host, '@', length) != NULL)
        return "must not hold credentials";
    if (strchr(url->host, '#') != NULL)
        return "must not have a fragment";
    size_t bracket = url->host[0] == '[' ? strcspn(url->host, "]") : 0;
    const char *colon = bracket >= length ? NULL : memchr(url->host + bracket, ':', length - bracket);
    url->host_length = colon == NULL ? length : (size_t)(colon - url->host);
    url->port = colon == NULL ? NULL : colon + 1;
    url->port_length = colon == NULL ? 0 : length - url->host_length - 1;
    return NULL;
}

static bool is_port(const struct url *url)
{
    unsigned long port = 0;
    if (url->port == NULL)
        return true;
    if (url->port_length == 0 || url->port_length > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < url->port_length; i++) {
        if (!isdigit((unsigned char)url->port[i]))
            return false;
        port = port * 10 + (unsigned long)(url->port[i] - '0');
    }
    return port > 0 && port <= PORT_MAX;
}

/* A name of at least two labels, the last of which begins with a letter: so no IPv4 address in any of its forms. */
static bool is_public_name(const char *host, size_t length)
{
    size_t label_start = 0;
    bool has_dot = false;
    if (length == 0 || length > HOST_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (host[i] == '.' && i == label_start)
            return false;
        if (host[i] == '.') {
            has_dot = true;
            label_start = i + 1;
        } else if (!isalnum((unsigned char)host[i]) && host[i] != '-') {
            return false;
        }
    }
    return has_dot && label_start < length && isalpha((unsigned char)host[label_start]);
}

/* For tests: addresses too, those of IPv6 in brackets. */
static bool is_any_host(const char *host, size_t length)
{
    bool is_ipv6 = length > 2 && host[0] == '[' && host[length - 1] == ']';
    for (size_t i = is_ipv6 ? 1 : 0; i < length - (is_ipv6 ? 1 : 0); i++)
        if (!isalnum((unsigned char)host[i]) && strchr(is_ipv6 ? ":." : ".-", host[i]) == NULL)
            return false;
    return length > 0 && length <= HOST_MAX;
}

static bool check_endpoint(const char *endpoint, bool allows_private, struct strbuf *error)
{
    struct url url;
    if (strlen(endpoint) > SUBSCRIPTION_ENDPOINT_MAX)
        return fail(error, "endpoint", "must have at most 2048 characters");
    if (!has_plain_characters(endpoint))
        return fail(error, "endpoint", "must be a URL of plain ASCII characters");
    const char *problem = split(endpoint, allows_private, &url);
    if (problem != NULL)
        return fail(error, "endpoint", problem);
    if (!is_public_name(url.host, url.host_length) && !(allows_private && is_any_host(url.host, url.host_length)))
        return fail(error, "endpoint", "must name a public host");
    return is_port(&url) || fail(error, "endpoint", "must have a port of 1 to 65535 or none");
}

static void append_host(struct strbuf *out, const struct url *url)
{
    for (size_t i = 0; i < url->host_length; i++)
        strbuf_append_char(out, (char)tolower((unsigned char)url->host[i]));
}

void endpoint_host(const char *endpoint, struct strbuf *host)
{
    struct url url;
    const char *problem = split(endpoint, true, &url);
    ASSERT(problem == NULL);
    append_host(host, &url);
}

void endpoint_origin(const char *endpoint, struct strbuf *origin)
{
    struct url url;
    const char *problem = split(endpoint, true, &url);
    ASSERT(problem == NULL);
    strbuf_append(origin, endpoint, url.scheme_length + 3);
    append_host(origin, &url);
    const char *usual = url.scheme_length == 5 ? "443" : "80";
    if (url.port_length > 0 && (url.port_length != strlen(usual) || memcmp(url.port, usual, url.port_length) != 0)) {
        strbuf_append_char(origin, ':');
        strbuf_append(origin, url.port, url.port_length);
    }
}

/* A name with a dot in front stands for all below it. */
static bool host_is(const struct url *url, const char *name)
{
    size_t length = strlen(name);
    bool fits = *name == '.' ? url->host_length > length : url->host_length == length;
    return fits && strncasecmp(url->host + url->host_length - length, name, length) == 0;
}

bool endpoint_is_known_service(const char *endpoint)
{
    static const char *const names[] = {"fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com",
                                        ".notify.windows.com"};
    struct url url;
    if (split(endpoint, false, &url) != NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (host_is(&url, names[i]))
            return true;
    return false;
}

/* --- the JSON --- */

static bool read_endpoint(const cJSON *root, bool allows_private, struct subscription *subscription,
                          struct strbuf *error)
{
    const char *endpoint = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "endpoint"));
    if (endpoint == NULL)
        return fail(error, "endpoint", "must be a string");
    return check_endpoint(endpoint, allows_private, error) &&
           str_copy(subscription->endpoint, sizeof(subscription->endpoint), endpoint);
}

static bool read_key(const cJSON *keys, const char *name, unsigned char *bytes, size_t length, struct strbuf *error)
{
    char field[16], problem[64];
    snprintf(field, sizeof(field), "keys.%s", name);
    snprintf(problem, sizeof(problem), "must be base64url (without padding) of %zu bytes", length);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(keys, name));
    if (text == NULL)
        return fail(error, field, "must be a string");
    struct strbuf decoded;
    strbuf_init(&decoded, length);
    bool is_good = base64url_decode(&decoded, text, strlen(text)) && decoded.length == length;
    if (is_good)
        memcpy(bytes, decoded.data, length);
    strbuf_finish(&decoded);
    return is_good || fail(error, field, problem);
}

static bool read_keys(const cJSON *root, struct webpush_receiver *receiver, struct strbuf *error)
{
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(root, "keys");
    if (!cJSON_IsObject(keys))
        return fail(error, "keys", "must be an object");
    if (!read_key(keys, "p256dh", receiver->p256dh, sizeof(receiver->p256dh), error) ||
        !read_key(keys, "auth", receiver->auth, sizeof(receiver->auth), error))
        return false;
    return webpush_point_is_valid(receiver->p256dh) ||
           fail(error, "keys.p256dh", "must be an uncompressed point on the curve P-256");
}

bool subscription_parse(const char *json, size_t length, bool allows_private, struct subscription *subscription_r,
                        struct strbuf *error)
{
    if (length > SUBSCRIPTION_JSON_MAX) {
        strbuf_appendf(error, "token: must have at most %d bytes", SUBSCRIPTION_JSON_MAX);
        return false;
    }
    cJSON *root = json_object_parse(json, length);
    if (root == NULL)
        strbuf_append_string(error, "token: must be the JSON of a PushSubscription");
    bool is_good = root != NULL && read_endpoint(root, allows_private, subscription_r, error) &&
                   read_keys(root, &subscription_r->receiver, error);
    cJSON_Delete(root);
    return is_good;
}
