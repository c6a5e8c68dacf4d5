/* Push registrations, as apps send them. */
#include <ctype.h>

#include "wire/decode_priv.h"

#define ENDPOINT_MAX 2048
#define P256DH_LENGTH 87 /* 65 bytes in base64url */
#define AUTH_LENGTH 22   /* 16 bytes */

/* --- shapes ------------------------------------------------------------------------------------------------------- */

static bool is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_alnum(char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9');
}

/* Subtags of 1 to 8 letters and digits, the first of 2 to 8 letters (RFC 5646 2.1, without its registry). */
static bool is_locale(const char *text)
{
    size_t length = 0;
    while (is_alpha(text[length]))
        length++;
    if (length < 2 || length > 8)
        return false;
    for (text += length; *text == '-'; text += length) {
        text++;
        for (length = 0; is_alnum(text[length]);)
            length++;
        if (length < 1 || length > 8)
            return false;
    }
    return *text == '\0';
}

/* "Europe/Zurich", "Etc/GMT+5", "UTC": names of letters, digits, _ + -, each beginning with a letter. */
static bool is_timezone(const char *text)
{
    for (;;) {
        if (!is_alpha(*text))
            return false;
        while (is_alnum(*text) || *text == '_' || *text == '+' || *text == '-')
            text++;
        if (*text != '/')
            return *text == '\0';
        text++;
    }
}

static bool is_base64url(const char *text, size_t length)
{
    size_t padded = (length + 3) / 4 * 4, given = strlen(text);
    for (size_t i = 0; i < given; i++)
        if (i < length ? !is_alnum(text[i]) && text[i] != '-' && text[i] != '_' : text[i] != '=')
            return false;
    return given == length || given == padded;
}

/* https://host…, nothing that is not visible ASCII. Where it leads is looked at by whoever goes there. */
static bool is_https_url(const char *text)
{
    static const char scheme[] = "https://";
    if (strncmp(text, scheme, strlen(scheme)) != 0 || !is_alnum(text[strlen(scheme)]))
        return false;
    for (; *text != '\0'; text++)
        if (!isgraph((unsigned char)*text))
            return false;
    return true;
}

/* --- the token ---------------------------------------------------------------------------------------------------- */

static void decode_key(struct decoder *keys, const char *name, size_t length, const char *what, const char **value_r)
{
    if (decode_string(keys, name, true, length + 2, value_r) && !is_base64url(*value_r, length))
        decode_fail(keys, name, what);
}

static void write_subscription(struct strbuf *out, const char *endpoint, const char *p256dh, const char *auth)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_kv_string(&json, "endpoint", endpoint);
    json_key(&json, "keys");
    json_begin_object(&json);
    json_key(&json, "p256dh");
    json_string_n(&json, p256dh, P256DH_LENGTH);
    json_key(&json, "auth");
    json_string_n(&json, auth, AUTH_LENGTH);
    json_end_object(&json);
    json_end_object(&json);
}

static void read_subscription(struct decoder *decoder, const cJSON *subscription, struct strbuf *token)
{
    struct decoder outer = *decoder, keys = *decoder;
    const char *endpoint = "", *p256dh = "", *auth = "";
    outer.object = subscription;
    outer.prefix = "token.";
    if (decode_string(&outer, "endpoint", true, ENDPOINT_MAX, &endpoint) && !is_https_url(endpoint))
        decode_fail(&outer, "endpoint", "must be an https URL");
    keys.object = decode_field(&outer, "keys");
    keys.prefix = "token.keys.";
    keys.has_failed = outer.has_failed;
    if (!cJSON_IsObject(keys.object)) {
        decode_fail(&outer, "keys", keys.object == NULL ? "missing" : "must be an object");
        keys.has_failed = true;
    } else {
        decode_key(&keys, "p256dh", P256DH_LENGTH, "must be 65 bytes in base64url", &p256dh);
        decode_key(&keys, "auth", AUTH_LENGTH, "must be 16 bytes in base64url", &auth);
    }
    decoder->has_failed = keys.has_failed;
    if (!decoder->has_failed)
        write_subscription(token, endpoint, p256dh, auth);
}

static void decode_subscription(struct decoder *decoder, struct strbuf *token)
{
    const cJSON *field = decode_field(decoder, "token");
    const char *text = cJSON_GetStringValue(field);
    bool is_short = text != NULL && strlen(text) <= DEVICE_TOKEN_MAX;
    cJSON *parsed = is_short ? json_object_parse(text, strlen(text)) : NULL;
    const cJSON *subscription = parsed != NULL ? parsed : field;
    if (field == NULL)
        decode_fail(decoder, "token", "missing");
    else if (!cJSON_IsObject(subscription))
        decode_fail(decoder, "token", "must be a PushSubscription, or its JSON in a text of 1 to 4096 bytes");
    else
        read_subscription(decoder, subscription, token);
    cJSON_Delete(parsed);
}

static void decode_plain_token(struct decoder *decoder, struct strbuf *token)
{
    const char *text = NULL;
    if (!decode_string(decoder, "token", true, DEVICE_TOKEN_MAX, &text))
        return;
    for (const char *at = text; *at != '\0'; at++)
        if (!isgraph((unsigned char)*at)) {
            decode_fail(decoder, "token", "must be visible ASCII");
            return;
        }
    strbuf_append_string(token, text);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void decode_optional(struct decoder *decoder, const char *name, size_t max_length, char **value_r)
{
    const char *text = NULL;
    if (decode_string(decoder, name, false, max_length, &text))
        *value_r = (char *)text;
}

static void decode_fields(struct decoder *decoder, Hansom__DevicePut *put)
{
    const char *provider = NULL;
    if (decode_string(decoder, "provider", true, 16, &provider)) {
        put->provider = push_provider_from_text(provider);
        if (put->provider == HANSOM__PUSH_PROVIDER__PUSH_PROVIDER_UNSPECIFIED)
            decode_fail(decoder, "provider", "must be fcm, apns or webpush");
    }
    decode_optional(decoder, "platform", DEVICE_PLATFORM_MAX, &put->platform);
    decode_optional(decoder, "locale", DEVICE_LOCALE_MAX, &put->locale);
    if (*put->locale != '\0' && !is_locale(put->locale))
        decode_fail(decoder, "locale", "must be a BCP 47 tag, such as de-CH");
    decode_optional(decoder, "timezone", DEVICE_TIMEZONE_MAX, &put->timezone);
    if (*put->timezone != '\0' && !is_timezone(put->timezone))
        decode_fail(decoder, "timezone", "must be an IANA name, such as Europe/Zurich");
}

bool device_put_decode(const struct cJSON *data, const char *user_id, const char *device_id, Hansom__DevicePut *put_r,
                       char *error, size_t error_size)
{
    struct decoder decoder = {.object = data, .prefix = "", .error = error, .error_size = error_size};
    hansom__device_put__init(put_r);
    put_r->user_id = (char *)user_id;
    put_r->device_id = (char *)device_id;
    if (!cJSON_IsObject(data))
        return decode_fail(&decoder, "body", "must be a JSON object");
    decode_fields(&decoder, put_r);
    if (decoder.has_failed)
        return false;
    struct strbuf token;
    strbuf_init(&token, 256);
    if (put_r->provider == HANSOM__PUSH_PROVIDER__PUSH_PROVIDER_WEBPUSH)
        decode_subscription(&decoder, &token);
    else
        decode_plain_token(&decoder, &token);
    if (!decoder.has_failed)
        put_r->token = strbuf_take(&token);
    strbuf_finish(&token);
    return !decoder.has_failed;
}

void device_put_finish(Hansom__DevicePut *put)
{
    if (put->token != protobuf_c_empty_string)
        mem_free(put->token);
    hansom__device_put__init(put);
}

static void write_optional(struct json_writer *json, const char *name, const char *value)
{
    json_kv_string(json, name, *value == '\0' ? NULL : value);
}

void device_put_write(struct json_writer *json, const Hansom__DevicePut *put)
{
    json_begin_object(json);
    json_kv_string(json, "device_id", put->device_id);
    json_kv_string(json, "provider", push_provider_text(put->provider));
    write_optional(json, "platform", put->platform);
    write_optional(json, "locale", put->locale);
    write_optional(json, "timezone", put->timezone);
    json_end_object(json);
}
