#ifndef HANSOM_JSON_WRITER_H
#define HANSOM_JSON_WRITER_H
/*
 * Writes JSON text (RFC 8259) straight into a strbuf, commas and escapes by itself. The caller's mistakes (a value
 * without a key inside an object, unbalanced ends) are asserts. Strings must be valid UTF-8.
 */
#include "base/strbuf.h"

#define JSON_WRITER_DEPTH_MAX 16

struct json_writer {
    struct strbuf *out;
    uint32_t depth;
    bool needs_comma[JSON_WRITER_DEPTH_MAX];
};

void json_writer_init(struct json_writer *writer, struct strbuf *out);
void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *key);
/* Values: as array element or after json_key. NULL string writes null. */
void json_string(struct json_writer *writer, const char *value);
void json_string_n(struct json_writer *writer, const char *value, size_t length);
void json_int(struct json_writer *writer, int64_t value);
void json_uint(struct json_writer *writer, uint64_t value);
/* Shortest decimal text with at most the given number of decimals, trailing zeros cut; not finite writes null. */
void json_double(struct json_writer *writer, double value, int max_decimals);
void json_bool(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
/* Bytes that already are one JSON value. */
void json_raw(struct json_writer *writer, const char *bytes, size_t length);
/* UTC time of milliseconds since the epoch as RFC 3339 string value. */
void json_time(struct json_writer *writer, int64_t unix_ms);

/* Key and value in one call. */
void json_kv_string(struct json_writer *writer, const char *key, const char *value);
void json_kv_int(struct json_writer *writer, const char *key, int64_t value);
void json_kv_uint(struct json_writer *writer, const char *key, uint64_t value);
void json_kv_double(struct json_writer *writer, const char *key, double value, int max_decimals);
void json_kv_bool(struct json_writer *writer, const char *key, bool value);
void json_kv_time(struct json_writer *writer, const char *key, int64_t unix_ms);

#endif
