#ifndef HANSOM_JSON_FIELDS_H
#define HANSOM_JSON_FIELDS_H
/* Reading the fields of a request body, with an error text that names the field. Pure. */
#include "base/base.h"

struct cJSON;

struct field_error {
    char *text;
    size_t size;
    const char *path; /* what stands before the names, "preferences."; NULL: nothing */
};

enum field_presence { FIELD_OPTIONAL, FIELD_REQUIRED };

/* Always false; the text is copied (cut to the size). */
bool field_fail(struct field_error *error, const char *text);
/* The same, as "path" "name": what. */
bool field_fail_named(struct field_error *error, const char *name, const char *what);
/* The same for a name that the caller chose: it is repeated when it is an id, else `where` stands for it. */
bool field_fail_unknown(struct field_error *error, const char *name, size_t name_length, const char *where);
/* Has the object no other fields than these (space separated)? */
MUST_CHECK bool field_names_are(const struct cJSON *object, const char *names, const char *where,
                                struct field_error *error);
/* Is the word one of a space separated list? */
bool name_is_listed(const char *names, const char *name, size_t name_length);
/* A string; absent or null gives NULL when it is optional. */
MUST_CHECK bool field_text(const struct cJSON *body, const char *name, enum field_presence presence,
                           const char **value_r, struct field_error *error);
/* A string that is an id (base/ids.h). */
MUST_CHECK bool field_id(const struct cJSON *body, const char *name, enum field_presence presence, const char **value_r,
                         struct field_error *error);
/* An integer; absent or null leaves *value_r. */
MUST_CHECK bool field_int(const struct cJSON *body, const char *name, int64_t min, int64_t max, int64_t *value_r,
                          struct field_error *error);
/* A boolean; absent or null leaves *value_r. */
MUST_CHECK bool field_bool(const struct cJSON *body, const char *name, bool *value_r, struct field_error *error);
/* An object; absent or null gives NULL. */
MUST_CHECK bool field_object(const struct cJSON *body, const char *name, const struct cJSON **value_r,
                             struct field_error *error);

#endif
