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

bool text_has_controls(const char *text)
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
        text_has_controls(field->valuestring)) {
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

#define OTHER_ESCAPE (-1)
#define BROKEN_ESCAPE (-2)

/* The number of the escape \uXXXX at this backslash, or one of the above. */
static long escaped_unit(const char *at, const char *end)
{
    long unit = 0;
    if (end - at < 6 || at[1] != 'u')
        return OTHER_ESCAPE;
    for (size_t i = 2; i < 6; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = at[i] == '\0' ? NULL : strchr(digits, at[i]);
        if (digit == NULL)
            return BROKEN_ESCAPE;
        long value = digit - digits;
        unit = unit * 16 + (value < 16 ? value : value - 6);
    }
    return unit;
}

static bool is_high_surrogate(long unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low_surrogate(long unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* Four hexadecimal digits for the escape at `at`; NULL: it stays. */
static const char *mended_escape(const char *at, const char *end, size_t *length_r)
{
    long unit = escaped_unit(at, end);
    bool is_pair =
        is_high_surrogate(unit) && end - at > 6 && at[6] == '\\' && is_low_surrogate(escaped_unit(at + 6, end));
    *length_r = unit == OTHER_ESCAPE ? 2 : is_pair ? 12 : 6;
    if (unit == BROKEN_ESCAPE)
        return "dc00"; /* cJSON would take it for NUL; this it refuses */
    if (unit == 0)
        return "007f";
    return !is_pair && (is_high_surrogate(unit) || is_low_surrogate(unit)) ? "fffd" : NULL;
}

/* Escapes that JSON has but no C string: half a surrogate pair becomes U+FFFD, as wherever such text is turned into
 * UTF-8; NUL, which would silently end the string, becomes DEL, which no field may hold. A copy, or NULL if there are
 * none. */
static char *mend_escapes(const char *text, size_t length)
{
    char *copy = NULL;
    const char *end = text + length, *at = text;
    while (at < end && (at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        size_t escape = 0;
        const char *digits = mended_escape(at, end, &escape);
        if (digits != NULL && copy == NULL)
            copy = mem_strndup(text, length);
        if (digits != NULL)
            memcpy(copy + (at - text) + 2, digits, 4);
        at += escape;
    }
    return copy;
}

static cJSON *parse_object(const char *text, size_t length)
{
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, length, &end, false);
    while (root != NULL && end < text + length && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (cJSON_IsObject(root) && end == text + length)
        return root;
    cJSON_Delete(root);
    return NULL;
}

cJSON *json_object_parse(const char *text, size_t length)
{
    if (memchr(text, '\0', length) != NULL)
        return NULL;
    char *mended = mend_escapes(text, length);
    cJSON *root = parse_object(mended != NULL ? mended : text, length);
    mem_free(mended);
    return root;
}

void decode_must_match(struct decoder *decoder, const char *name, bool is_required, const char *expected)
{
    const char *value = NULL;
    if (decode_string(decoder, name, is_required, 256, &value) && !str_equal(value, expected))
        decode_fail(decoder, name, "does not match");
}
