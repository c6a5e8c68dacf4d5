#ifndef HANSOM_PG_ARRAY_H
#define HANSOM_PG_ARRAY_H
/* PostgreSQL array literals, for parameters that carry many rows: unnest($1::text[], $2::bigint[], ...). */
#include "base/strbuf.h"

struct pg_array {
    struct strbuf text; /* text.data is the parameter after pg_array_end */
    size_t count;
};

void pg_array_begin(struct pg_array *array);
/* One element each. A text must not hold a NUL; NULL is SQL null. */
void pg_array_text(struct pg_array *array, const char *value);
void pg_array_int(struct pg_array *array, int64_t value);
void pg_array_bytes(struct pg_array *array, const void *bytes, size_t length);
void pg_array_bool(struct pg_array *array, bool value);
const char *pg_array_end(struct pg_array *array);
void pg_array_finish(struct pg_array *array);

/* The columns of many rows at once. `parameters_r` gets `count` texts, which live as long as the arrays. */
void pg_arrays_begin(struct pg_array *arrays, size_t count);
void pg_arrays_end(struct pg_array *arrays, size_t count, const char **parameters_r);
void pg_arrays_finish(struct pg_array *arrays, size_t count);

#endif
