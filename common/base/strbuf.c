#include "base/strbuf.h"

#include <inttypes.h>
#include <stdio.h>

#define CAPACITY_MIN 64

void strbuf_init(struct strbuf *buffer, size_t initial_capacity)
{
    buffer->capacity = initial_capacity < CAPACITY_MIN ? CAPACITY_MIN : initial_capacity;
    buffer->data = mem_realloc(NULL, buffer->capacity);
    strbuf_clear(buffer);
}

void strbuf_finish(struct strbuf *buffer)
{
    mem_free(buffer->data);
    *buffer = (struct strbuf){0};
}

void strbuf_clear(struct strbuf *buffer)
{
    buffer->length = 0;
    buffer->data[0] = '\0';
}

char *strbuf_take(struct strbuf *buffer)
{
    char *taken = buffer->data;
    strbuf_init(buffer, 0);
    return taken;
}

char *strbuf_reserve(struct strbuf *buffer, size_t length)
{
    size_t needed = buffer->length + length + 1;
    if (needed > buffer->capacity) {
        buffer->capacity = needed > buffer->capacity * 2 ? needed : buffer->capacity * 2;
        buffer->data = mem_realloc(buffer->data, buffer->capacity);
    }
    return buffer->data + buffer->length;
}

void strbuf_grown(struct strbuf *buffer, size_t length)
{
    ASSERT(buffer->length + length < buffer->capacity);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void strbuf_append(struct strbuf *buffer, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(strbuf_reserve(buffer, length), bytes, length);
    strbuf_grown(buffer, length);
}

void strbuf_append_string(struct strbuf *buffer, const char *string)
{
    strbuf_append(buffer, string, strlen(string));
}

void strbuf_append_char(struct strbuf *buffer, char character)
{
    strbuf_append(buffer, &character, 1);
}

void strbuf_append_uint(struct strbuf *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    strbuf_append(buffer, digits + at, sizeof(digits) - at);
}

void strbuf_append_int(struct strbuf *buffer, int64_t value)
{
    if (value < 0)
        strbuf_append_char(buffer, '-');
    strbuf_append_uint(buffer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void strbuf_appendf(struct strbuf *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    ASSERT(length >= 0);
    char *room = strbuf_reserve(buffer, (size_t)length);
    vsnprintf(room, (size_t)length + 1, format, again);
    strbuf_grown(buffer, (size_t)length);
    va_end(again);
    va_end(arguments);
}
