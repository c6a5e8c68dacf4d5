#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "wire/decode_priv.h"

bool decode_fail(struct decoder *decoder, const char *field, const char *what)
{
    if (!decoder->has_failed)
        snprintf(decoder->error, decoder->error_size, "%s%s: %s", decoder->prefix, field, what);
    decoder->has_failed = true;
    return false;
}

const cJSON *decode_field(const struct decoder *decoder, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(decoder->object, name);
    return field == NULL || cJSON_IsNull(field) ? NULL : field;
}

static const cJSON *find(struct decoder *decoder, const char *name, bool is_required)
{
    const cJSON *field = decode_field(decoder, name);
    if (field == NULL && is_required)
        decode_fail(decoder, name, "missing");
    return field;
}

bool decode_number(struct decoder *decoder, const char *name, bool is_required, double min, double max, double *value_r)
{
    const cJSON *field = find(decoder, name, is_required);
    if (field == NULL)
        return false;
    if (!cJSON_IsNumber(field) || !isfinite(field->valuedouble) || field->valuedouble < min ||
        field->valuedouble > max) {
        char what[96];
        snprintf(what, sizeof(what), "must be a number from %.16g to %.16g", min, max);
        return decode_fail(decoder, name, what);
    }
    *value_r = field->valuedouble;
    return true;
}

bool decode_time(struct decoder *decoder, const char *name, bool is_required, int64_t *unix_ms_r)
{
    const cJSON *field = find(decoder, name, is_required);
    if (field == NULL)
        return false;
    if (!cJSON_IsString(field) || !rfc3339_parse(field->valuestring, strlen(field->valuestring), unix_ms_r))
        return decode_fail(decoder, name, "must be an RFC 3339 time");
    return true;
}

static bool has_control_characters(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

bool decode_string(struct decoder *decoder, const char *name, bool is_required, size_t max_length, const char **value_r)
{
    const cJSON *field = find(decoder, name, is_required);
    if (field == NULL)
        return false;
    if (!cJSON_IsString(field) || *field->valuestring == '\0' || strlen(field->valuestring) > max_length ||
        has_control_characters(field->valuestring)) {
        char what[96];
        snprintf(what, sizeof(what), "must be a text of 1 to %zu bytes", max_length);
        return decode_fail(decoder, name, what);
    }
    *value_r = field->valuestring;
    return true;
}

bool decode_id(struct decoder *decoder, const char *name, bool is_required, char **id_r)
{
    const char *id = NULL;
    if (!decode_string(decoder, name, is_required, ID_LENGTH_MAX, &id))
        return false;
    if (!is_id(id))
        return decode_fail(decoder, name, "must be 1 to 64 of A-Z a-z 0-9 _ -");
    *id_r = (char *)id;
    return true;
}

bool decode_sequence(struct decoder *decoder, const char *name, uint64_t min, uint64_t *sequence_r)
{
    double value = 0;
    if (!decode_number(decoder, name, true, (double)min, SEQUENCE_MAX, &value))
        return false;
    if (value != floor(value))
        return decode_fail(decoder, name, "must be an integer");
    *sequence_r = (uint64_t)value;
    return true;
}

/* An escaped NUL would silently end the C string it stands in. */
static bool has_nul(const char *text, size_t length)
{
    if (memchr(text, '\0', length) != NULL)
        return true;
    const char *end = text + length;
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), "\\u0000", 6)) != NULL; at += 6) {
        size_t backslashes = 0;
        while (at - backslashes > text && at[-(ptrdiff_t)backslashes - 1] == '\\')
            backslashes++;
        if (backslashes % 2 == 0)
            return true;
    }
    return false;
}

cJSON *json_object_parse(const char *text, size_t length)
{
    const char *end = NULL;
    cJSON *root = has_nul(text, length) ? NULL : cJSON_ParseWithLengthOpts(text, length, &end, false);
    while (root != NULL && end < text + length && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (cJSON_IsObject(root) && end == text + length)
        return root;
    cJSON_Delete(root);
    return NULL;
}

void decode_must_match(struct decoder *decoder, const char *name, bool is_required, const char *expected)
{
    const char *value = NULL;
    if (decode_string(decoder, name, is_required, 256, &value) && !str_equal(value, expected))
        decode_fail(decoder, name, "does not match");
}
