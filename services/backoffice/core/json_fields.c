#include "core/json_fields.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "base/ids.h"

bool field_fail(struct field_error *error, const char *text)
{
    str_copy(error->text, error->size, text);
    return false;
}

static const char *path_of(const struct field_error *error)
{
    return error->path == NULL ? "" : error->path;
}

bool field_fail_named(struct field_error *error, const char *name, const char *what)
{
    snprintf(error->text, error->size, "%s%s: %s", path_of(error), name, what);
    return false;
}

bool field_fail_unknown(struct field_error *error, const char *name, size_t name_length, const char *where)
{
    if (id_is_valid(name, name_length))
        snprintf(error->text, error->size, "%s%.*s: is not known here", path_of(error), (int)name_length, name);
    else
        snprintf(error->text, error->size, "%s: has a name that is not known here", where);
    return false;
}

bool name_is_listed(const char *names, const char *name, size_t name_length)
{
    while (*names != '\0') {
        size_t length = strcspn(names, " ");
        if (length == name_length && memcmp(names, name, length) == 0)
            return true;
        names += length;
        names += strspn(names, " ");
    }
    return false;
}

bool field_names_are(const cJSON *object, const char *names, const char *where, struct field_error *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        size_t length = strlen(item->string);
        if (!name_is_listed(names, item->string, length))
            return field_fail_unknown(error, item->string, length, where);
    }
    return true;
}

static const cJSON *field(const cJSON *body, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(body, name);
    return cJSON_IsNull(value) ? NULL : value;
}

bool field_text(const cJSON *body, const char *name, enum field_presence presence, const char **value_r,
                struct field_error *error)
{
    const cJSON *value = field(body, name);
    *value_r = cJSON_GetStringValue(value);
    if (value == NULL)
        return presence == FIELD_OPTIONAL || field_fail_named(error, name, "is needed");
    return *value_r != NULL || field_fail_named(error, name, "must be a string");
}

bool field_id(const cJSON *body, const char *name, enum field_presence presence, const char **value_r,
              struct field_error *error)
{
    if (!field_text(body, name, presence, value_r, error))
        return false;
    if (*value_r == NULL || is_id(*value_r))
        return true;
    return field_fail_named(error, name, "must be 1 to 64 of A-Z a-z 0-9 _ -");
}

bool field_int(const cJSON *body, const char *name, int64_t min, int64_t max, int64_t *value_r,
               struct field_error *error)
{
    const cJSON *value = field(body, name);
    if (value == NULL)
        return true;
    double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    if (number >= (double)min && number <= (double)max && floor(number) == number) {
        *value_r = (int64_t)number;
        return true;
    }
    snprintf(error->text, error->size, "%s%s: must be a whole number from %lld to %lld", path_of(error), name,
             (long long)min, (long long)max);
    return false;
}

bool field_bool(const cJSON *body, const char *name, bool *value_r, struct field_error *error)
{
    const cJSON *value = field(body, name);
    if (cJSON_IsBool(value))
        *value_r = cJSON_IsTrue(value);
    return value == NULL || cJSON_IsBool(value) || field_fail_named(error, name, "must be true or false");
}

bool field_object(const cJSON *body, const char *name, const cJSON **value_r, struct field_error *error)
{
    *value_r = field(body, name);
    return *value_r == NULL || cJSON_IsObject(*value_r) || field_fail_named(error, name, "must be an object");
}
