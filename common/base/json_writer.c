#include "base/json_writer.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"

void json_writer_init(struct json_writer *writer, struct strbuf *out)
{
    *writer = (struct json_writer){.out = out};
}

static void before_value(struct json_writer *writer)
{
    if (writer->needs_comma[writer->depth])
        strbuf_append_char(writer->out, ',');
    writer->needs_comma[writer->depth] = true;
}

static void begin(struct json_writer *writer, char bracket)
{
    before_value(writer);
    strbuf_append_char(writer->out, bracket);
    ASSERT(writer->depth + 1 < JSON_WRITER_DEPTH_MAX);
    writer->needs_comma[++writer->depth] = false;
}

static void end(struct json_writer *writer, char bracket)
{
    ASSERT(writer->depth > 0);
    writer->depth--;
    strbuf_append_char(writer->out, bracket);
}

void json_begin_object(struct json_writer *writer)
{
    begin(writer, '{');
}

void json_end_object(struct json_writer *writer)
{
    end(writer, '}');
}

void json_begin_array(struct json_writer *writer)
{
    begin(writer, '[');
}

void json_end_array(struct json_writer *writer)
{
    end(writer, ']');
}

static void escape(struct strbuf *out, unsigned char character)
{
    static const char shorts[] = "btnvfr";
    strbuf_append_char(out, '\\');
    if (character == '"' || character == '\\')
        strbuf_append_char(out, (char)character);
    else if (character >= '\b' && character <= '\r' && character != '\v')
        strbuf_append_char(out, shorts[character - '\b']);
    else
        strbuf_appendf(out, "u%04x", character);
}

static void quoted(struct strbuf *out, const char *value, size_t length)
{
    strbuf_append_char(out, '"');
    size_t plain_from = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char character = (unsigned char)value[i];
        if (character >= 0x20 && character != '"' && character != '\\')
            continue;
        strbuf_append(out, value + plain_from, i - plain_from);
        escape(out, character);
        plain_from = i + 1;
    }
    strbuf_append(out, value + plain_from, length - plain_from);
    strbuf_append_char(out, '"');
}

void json_key(struct json_writer *writer, const char *key)
{
    before_value(writer);
    quoted(writer->out, key, strlen(key));
    strbuf_append_char(writer->out, ':');
    writer->needs_comma[writer->depth] = false; /* the value follows without one, and sets it again */
}

void json_string_n(struct json_writer *writer, const char *value, size_t length)
{
    before_value(writer);
    quoted(writer->out, value, length);
}

void json_string(struct json_writer *writer, const char *value)
{
    if (value == NULL)
        json_null(writer);
    else
        json_string_n(writer, value, strlen(value));
}

void json_int(struct json_writer *writer, int64_t value)
{
    before_value(writer);
    strbuf_append_int(writer->out, value);
}

void json_uint(struct json_writer *writer, uint64_t value)
{
    before_value(writer);
    strbuf_append_uint(writer->out, value);
}

/* Fixed-point text. A double has 15 digits that are always its own and at most 17 (DBL_DIG, DBL_DECIMAL_DIG): decimals
 * beyond the first ones that read back as the same number would be noise. */
static int format_double(char *text, size_t size, double value, int max_decimals)
{
    int integer_digits = value == 0 ? 1 : (int)floor(log10(fabs(value))) + 1;
    int decimals = DBL_DIG - integer_digits;
    for (decimals = decimals > 0 ? decimals : 0; decimals < max_decimals; decimals++) {
        int length = snprintf(text, size, "%.*f", decimals, value);
        if (strtod(text, NULL) == value)
            return length;
    }
    return snprintf(text, size, "%.*f", max_decimals, value);
}

void json_double(struct json_writer *writer, double value, int max_decimals)
{
    if (!isfinite(value)) {
        json_null(writer);
        return;
    }
    char text[400];
    int length = format_double(text, sizeof(text), value, max_decimals);
    ASSERT(length > 0 && (size_t)length < sizeof(text));
    if (memchr(text, '.', (size_t)length) != NULL) {
        while (text[length - 1] == '0')
            length--;
        if (text[length - 1] == '.')
            length--;
    }
    before_value(writer);
    if (length == 2 && text[0] == '-' && text[1] == '0')
        strbuf_append_char(writer->out, '0');
    else
        strbuf_append(writer->out, text, (size_t)length);
}

void json_bool(struct json_writer *writer, bool value)
{
    before_value(writer);
    strbuf_append_string(writer->out, value ? "true" : "false");
}

void json_null(struct json_writer *writer)
{
    before_value(writer);
    strbuf_append_string(writer->out, "null");
}

void json_raw(struct json_writer *writer, const char *bytes, size_t length)
{
    before_value(writer);
    strbuf_append(writer->out, bytes, length);
}

void json_time(struct json_writer *writer, int64_t unix_ms)
{
    char text[RFC3339_SIZE];
    rfc3339_format(unix_ms, text);
    json_string(writer, text);
}

void json_kv_string(struct json_writer *writer, const char *key, const char *value)
{
    json_key(writer, key);
    json_string(writer, value);
}

void json_kv_int(struct json_writer *writer, const char *key, int64_t value)
{
    json_key(writer, key);
    json_int(writer, value);
}

void json_kv_uint(struct json_writer *writer, const char *key, uint64_t value)
{
    json_key(writer, key);
    json_uint(writer, value);
}

void json_kv_double(struct json_writer *writer, const char *key, double value, int max_decimals)
{
    json_key(writer, key);
    json_double(writer, value, max_decimals);
}

void json_kv_bool(struct json_writer *writer, const char *key, bool value)
{
    json_key(writer, key);
    json_bool(writer, value);
}

void json_kv_time(struct json_writer *writer, const char *key, int64_t unix_ms)
{
    json_key(writer, key);
    json_time(writer, unix_ms);
}
