#ifndef HANSOM_STRBUF_H
#define HANSOM_STRBUF_H
/* A growing byte string, always zero-terminated after its length. */
#include "base/base.h"

struct strbuf {
    char *data; /* never NULL after init */
    size_t length;
    size_t capacity;
};

void strbuf_init(struct strbuf *buffer, size_t initial_capacity);
/* Frees the memory; the struct may be initialised again. */
void strbuf_finish(struct strbuf *buffer);
void strbuf_clear(struct strbuf *buffer);
/* Takes the string out; the caller frees it with mem_free; the buffer is empty and usable afterwards. */
char *strbuf_take(struct strbuf *buffer);
void strbuf_append(struct strbuf *buffer, const void *bytes, size_t length);
void strbuf_append_string(struct strbuf *buffer, const char *string);
void strbuf_append_char(struct strbuf *buffer, char character);
void strbuf_append_uint(struct strbuf *buffer, uint64_t value);
void strbuf_append_int(struct strbuf *buffer, int64_t value);
void strbuf_appendf(struct strbuf *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for at least this many more bytes; returns where they go; tell with strbuf_grown how many were written. */
char *strbuf_reserve(struct strbuf *buffer, size_t length);
void strbuf_grown(struct strbuf *buffer, size_t length);

#endif
