#include "pg/pg_array.h"

void pg_array_begin(struct pg_array *array)
{
    strbuf_init(&array->text, 256);
    strbuf_append_char(&array->text, '{');
    array->count = 0;
}

static void separate(struct pg_array *array)
{
    if (array->count++ > 0)
        strbuf_append_char(&array->text, ',');
}

void pg_array_text(struct pg_array *array, const char *value)
{
    separate(array);
    if (value == NULL) {
        strbuf_append_string(&array->text, "NULL");
        return;
    }
    strbuf_append_char(&array->text, '"');
    for (size_t plain; *value != '\0'; value += plain) {
        plain = strcspn(value, "\"\\");
        strbuf_append(&array->text, value, plain);
        if (value[plain] != '\0') {
            strbuf_append_char(&array->text, '\\');
            strbuf_append_char(&array->text, value[plain++]);
        }
    }
    strbuf_append_char(&array->text, '"');
}

void pg_array_int(struct pg_array *array, int64_t value)
{
    separate(array);
    strbuf_append_int(&array->text, value);
}

void pg_array_bool(struct pg_array *array, bool value)
{
    separate(array);
    strbuf_append_char(&array->text, value ? 't' : 'f');
}

void pg_array_bytes(struct pg_array *array, const void *bytes, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *at = bytes;
    separate(array);
    strbuf_append_string(&array->text, "\"\\\\x");
    for (size_t i = 0; i < length; i++) {
        strbuf_append_char(&array->text, hex[at[i] >> 4]);
        strbuf_append_char(&array->text, hex[at[i] & 15]);
    }
    strbuf_append_char(&array->text, '"');
}

const char *pg_array_end(struct pg_array *array)
{
    strbuf_append_char(&array->text, '}');
    return array->text.data;
}

void pg_array_finish(struct pg_array *array)
{
    strbuf_finish(&array->text);
}

void pg_arrays_begin(struct pg_array *arrays, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pg_array_begin(&arrays[i]);
}

void pg_arrays_end(struct pg_array *arrays, size_t count, const char **parameters_r)
{
    for (size_t i = 0; i < count; i++)
        parameters_r[i] = pg_array_end(&arrays[i]);
}

void pg_arrays_finish(struct pg_array *arrays, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pg_array_finish(&arrays[i]);
}
