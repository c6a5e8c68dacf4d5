#ifndef HANSOM_JSON_FIELDS_H
#define HANSOM_JSON_FIELDS_H
/* Reading the fields of a request body, with an error text that names the field. Pure. */
#include "base/base.h"

struct cJSON;

struct field_error {
    char *text;
    size_t size;
};

enum field_presence { FIELD_OPTIONAL, FIELD_REQUIRED };

/* Always false; the text is copied (cut to the size). */
bool field_fail(struct field_error *error, const char *text);
/* A string; absent or null gives NULL when it is optional. */
MUST_CHECK bool field_text(const struct cJSON *body, const char *name, enum field_presence presence,
                           const char **value_r, struct field_error *error);
/* A string that is an id (base/ids.h). */
MUST_CHECK bool field_id(const struct cJSON *body, const char *name, enum field_presence presence, const char **value_r,
                         struct field_error *error);
/* An integer; absent or null leaves *value_r. */
MUST_CHECK bool field_int(const struct cJSON *body, const char *name, int64_t min, int64_t max, int64_t *value_r,
                          struct field_error *error);

#endif
