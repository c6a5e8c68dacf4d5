#include "core/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_fields.h"

static const struct query_parameter *find(const struct query *query, const char *name, size_t length)
{
    for (size_t i = 0; i < query->count; i++) {
        const struct query_parameter *parameter = &query->parameters[i];
        if (parameter->name_length == length && memcmp(parameter->name, name, length) == 0)
            return parameter;
    }
    return NULL;
}

/* Where the name stands in the list: it must be there. */
static const char *in_list(const char *names, const char *name, size_t length)
{
    while (strcspn(names, " ") != length || memcmp(names, name, length) != 0)
        names += strcspn(names, " ") + 1;
    return names;
}

static bool is_text(const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (value[i] < ' ' || value[i] > '~')
            return false;
    return length > 0 && length <= QUERY_VALUE_MAX;
}

static bool fail(char *error, size_t size, const char *name, size_t length, const char *what)
{
    snprintf(error, size, "%.*s: %s", (int)length, name, what);
    return false;
}

bool query_add(struct query *query, const char *names, const char *name, size_t name_length, const char *value,
               size_t value_length, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    if (name_length == 0 || !name_is_listed(names, name, name_length))
        return field_fail_unknown(&why, name, name_length, "query");
    if (find(query, name, name_length) != NULL)
        return fail(error, error_size, name, name_length, "is given twice");
    if (value == NULL || !is_text(value, value_length))
        return fail(error, error_size, name, name_length, "must be 1 to 128 printable ASCII characters");
    ASSERT(query->count < QUERY_PARAMETERS_MAX);
    struct query_parameter *parameter = &query->parameters[query->count++];
    parameter->name = in_list(names, name, name_length);
    parameter->name_length = name_length;
    memcpy(parameter->value, value, value_length);
    parameter->value[value_length] = '\0';
    return true;
}

const char *query_get(const struct query *query, const char *name)
{
    const struct query_parameter *parameter = find(query, name, strlen(name));
    return parameter == NULL ? NULL : parameter->value;
}

bool query_uint(const struct query *query, const char *name, uint64_t min, uint64_t max, uint64_t *value_r, char *error,
                size_t error_size)
{
    const char *text = query_get(query, name);
    if (text == NULL)
        return true;
    size_t digits = strspn(text, "0123456789");
    unsigned long long value = digits >= 1 && digits <= 19 ? strtoull(text, NULL, 10) : 0;
    if (digits >= 1 && digits <= 19 && text[digits] == '\0' && value >= min && value <= max) {
        *value_r = value;
        return true;
    }
    snprintf(error, error_size, "%s: must be a whole number from %llu to %llu", name, (unsigned long long)min,
             (unsigned long long)max);
    return false;
}
