#ifndef HANSOM_QUERY_H
#define HANSOM_QUERY_H
/* The parameters of a request's query, decoded. Pure. */
#include "base/ids.h"

#define QUERY_PARAMETERS_MAX 8
#define QUERY_VALUE_MAX 128 /* bytes */

struct query {
    struct query_parameter {
        const char *name; /* in the list of those that may be given, not terminated */
        size_t name_length;
        char value[QUERY_VALUE_MAX + 1];
    } parameters[QUERY_PARAMETERS_MAX];
    size_t count;
};

/* Takes one. names: those that may be given, each once, space separated; they must outlive the query. value may be
 * NULL (there was no =). False with a text that names the parameter. */
MUST_CHECK bool query_add(struct query *query, const char *names, const char *name, size_t name_length,
                          const char *value, size_t value_length, char *error, size_t error_size);
/* NULL: it was not given. */
const char *query_get(const struct query *query, const char *name);
/* A whole number; absent leaves *value_r. False with a text that names it. */
MUST_CHECK bool query_uint(const struct query *query, const char *name, uint64_t min, uint64_t max, uint64_t *value_r,
                           char *error, size_t error_size);

#endif
