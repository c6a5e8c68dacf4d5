#ifndef HANSOM_BASE_H
#define HANSOM_BASE_H
/*
 * What every file may use: allocation that ends the process when memory is out, asserts that stay in release builds,
 * compiler attributes.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#define NO_RETURN __attribute__((noreturn))
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Our own mistakes only, never foreign bytes. Prints file, line and expression to stderr and aborts, in every build. */
#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(__FILE__, __LINE__, #expression))
NO_RETURN void assert_failed(const char *file, int line, const char *expression);

/* Zeroed memory; never NULL (out of memory ends the process). Free with mem_free. */
void *mem_alloc(size_t size_bytes);
/* Grows or shrinks; new bytes are not cleared; pointer may be NULL. */
void *mem_realloc(void *pointer, size_t size_bytes);
/* Copies of a string / of bytes (mem_strndup adds a terminating zero). */
char *mem_strdup(const char *string);
char *mem_strndup(const char *bytes, size_t length);
void *mem_dup(const void *bytes, size_t length);
/* NULL is allowed. */
void mem_free(void *pointer);

/* String equality; NULL equals only NULL. */
bool str_equal(const char *left, const char *right);
/* Copies with truncation into a buffer of the given size, always terminated; false if it did not fit. */
bool str_copy(char *buffer, size_t size, const char *source);

#endif
