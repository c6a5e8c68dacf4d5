#include "core/json_fields.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "base/ids.h"

bool field_fail(struct field_error *error, const char *text)
{
    str_copy(error->text, error->size, text);
    return false;
}

static bool fail_named(struct field_error *error, const char *name, const char *what)
{
    snprintf(error->text, error->size, "%s: %s", name, what);
    return false;
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
        return presence == FIELD_OPTIONAL || fail_named(error, name, "is needed");
    return *value_r != NULL || fail_named(error, name, "must be a string");
}

bool field_id(const cJSON *body, const char *name, enum field_presence presence, const char **value_r,
              struct field_error *error)
{
    if (!field_text(body, name, presence, value_r, error))
        return false;
    if (*value_r == NULL || id_is_valid(*value_r, strlen(*value_r)))
        return true;
    return fail_named(error, name, "must be 1 to 64 of A-Z a-z 0-9 _ -");
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
    snprintf(error->text, error->size, "%s: must be a whole number from %lld to %lld", name, (long long)min,
             (long long)max);
    return false;
}
