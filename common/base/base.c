#include "base/base.h"

#include <stdio.h>

void assert_failed(const char *file, int line, const char *expression)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

static void *check(void *pointer, size_t size_bytes)
{
    if (pointer == NULL && size_bytes > 0) {
        fprintf(stderr, "out of memory: %zu bytes\n", size_bytes);
        abort();
    }
    return pointer;
}

void *mem_alloc(size_t size_bytes)
{
    return check(calloc(1, size_bytes), size_bytes);
}

void *mem_realloc(void *pointer, size_t size_bytes)
{
    return check(realloc(pointer, size_bytes), size_bytes);
}

char *mem_strdup(const char *string)
{
    return mem_strndup(string, strlen(string));
}

char *mem_strndup(const char *bytes, size_t length)
{
    char *copy = check(malloc(length + 1), length + 1);
    if (length > 0) /* bytes may be NULL then */
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

void *mem_dup(const void *bytes, size_t length)
{
    void *copy = check(malloc(length), length);
    return length > 0 ? memcpy(copy, bytes, length) : copy;
}

void mem_free(void *pointer)
{
    free(pointer);
}

bool str_equal(const char *left, const char *right)
{
    return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

bool str_copy(char *buffer, size_t size, const char *source)
{
    ASSERT(size > 0);
    size_t length = strlen(source);
    bool fits = length < size;
    size_t copied = fits ? length : size - 1;
    memcpy(buffer, source, copied);
    buffer[copied] = '\0';
    return fits;
}
