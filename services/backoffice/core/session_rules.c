#include "core/session_rules.h"

#include <cjson/cJSON.h>

#include "core/json_fields.h"
#include "wire/wire.h"

#define PLATFORM_LENGTH_MAX 32
#define DEVICE_LENGTH_MAX 128
#define SCOPE_LENGTH_MAX 200

/* --- scopes ------------------------------------------------------------------------------------------------------- */

static const char *pattern_of(const char *scope)
{
    static const char *const verbs[] = {"subscribe:", "publish:"};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strncmp(scope, verbs[i], strlen(verbs[i])) == 0)
            return scope + strlen(verbs[i]);
    return NULL;
}

static bool segment_is_good(const char *segment, size_t length, bool is_last)
{
    if (length == 1 && *segment == '>')
        return is_last;
    return (length == 1 && *segment == '*') || id_is_valid(segment, length);
}

bool scope_is_well_formed(const char *scope)
{
    const char *segment = pattern_of(scope);
    if (segment == NULL || strlen(scope) > SCOPE_LENGTH_MAX)
        return false;
    for (;;) {
        size_t length = strcspn(segment, ".");
        bool is_last = segment[length] == '\0';
        if (!segment_is_good(segment, length, is_last))
            return false;
        if (is_last)
            return true;
        segment += length + 1;
    }
}

void scopes_write_array(struct strbuf *out, const char *const *scopes, size_t count)
{
    strbuf_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        ASSERT(scope_is_well_formed(scopes[i]));
        strbuf_append_string(out, i == 0 ? "\"" : ",\"");
        strbuf_append_string(out, scopes[i]);
        strbuf_append_char(out, '"');
    }
    strbuf_append_char(out, '}');
}

/* --- the request -------------------------------------------------------------------------------------------------- */

static bool is_printable(const char *text, size_t length_max)
{
    size_t length = strlen(text);
    if (length == 0 || length > length_max)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

static bool read_scopes(const cJSON *body, struct session_wish *wish, struct field_error *error)
{
    const cJSON *scopes = cJSON_GetObjectItemCaseSensitive(body, "scopes");
    if (scopes == NULL || cJSON_IsNull(scopes))
        return true;
    wish->has_scopes = true;
    if (!cJSON_IsArray(scopes) || cJSON_GetArraySize(scopes) > SESSION_SCOPES_MAX)
        return field_fail(error, "scopes: must be an array of at most 64 strings");
    const cJSON *scope;
    cJSON_ArrayForEach(scope, scopes)
    {
        if (!cJSON_IsString(scope) || !scope_is_well_formed(scope->valuestring))
            return field_fail(error, "scopes: each must be subscribe:PATTERN or publish:PATTERN");
        wish->scopes[wish->scope_count++] = scope->valuestring;
    }
    return true;
}

static bool check_texts(const struct session_wish *wish, struct field_error *error)
{
    if (role_from_text(wish->role) == HANSOM__ROLE__ROLE_UNSPECIFIED)
        return field_fail(error, "role: must be client, driver, support or admin");
    if (!is_printable(wish->platform, PLATFORM_LENGTH_MAX))
        return field_fail(error, "platform: must be 1 to 32 printable ASCII characters (ios, android, web, server)");
    if (wish->device_id != NULL && !is_printable(wish->device_id, DEVICE_LENGTH_MAX))
        return field_fail(error, "device_id: must be 1 to 128 printable ASCII characters");
    return true;
}

bool session_wish_read(const cJSON *body, struct session_wish *wish_r, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    *wish_r = (struct session_wish){0};
    return field_id(body, "user_id", FIELD_REQUIRED, &wish_r->user_id, &why) &&
           field_text(body, "role", FIELD_REQUIRED, &wish_r->role, &why) &&
           field_text(body, "platform", FIELD_REQUIRED, &wish_r->platform, &why) &&
           field_text(body, "device_id", FIELD_OPTIONAL, &wish_r->device_id, &why) && check_texts(wish_r, &why) &&
           read_scopes(body, wish_r, &why) && field_int(body, "ttl_s", 1, SESSION_TTL_MAX_S, &wish_r->ttl_s, &why);
}

/* --- times -------------------------------------------------------------------------------------------------------- */

int64_t cutoff_of(int64_t now_ms)
{
    return (now_ms / 1000 + 1) * 1000;
}

int64_t issued_at_s(int64_t now_ms, int64_t cutoff_ms)
{
    int64_t now_s = now_ms / 1000, cutoff_s = (cutoff_ms + 999) / 1000;
    return now_s > cutoff_s ? now_s : cutoff_s;
}
