#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/query.h"

#define NAMES "state channel before limit"

static bool add(struct query *query, const char *name, const char *value, char error[160])
{
    return query_add(query, NAMES, name, strlen(name), value, value == NULL ? 0 : strlen(value), error, 160);
}

Test(query, takes_what_is_listed)
{
    struct query query = {0};
    char error[160] = "";
    cr_assert_null(query_get(&query, "state"));
    cr_assert(add(&query, "state", "dead", error), "%s", error);
    cr_assert(add(&query, "limit", "7", error), "%s", error);
    cr_assert_str_eq(query_get(&query, "state"), "dead");
    cr_assert_str_eq(query_get(&query, "limit"), "7");
    cr_assert_null(query_get(&query, "channel"));
    cr_assert(add(&query, "channel", "sms", error));
    cr_assert(add(&query, "before", "1", error));
    cr_assert_str_eq(query_get(&query, "channel"), "sms");
    cr_assert_str_eq(query_get(&query, "before"), "1");
}

Test(query, refuses_by_name)
{
    static const struct {
        const char *name, *value, *error;
    } rows[] = {
        {"chanel", "sms", "chanel: is not known here"},
        {"stat", "dead", "stat: is not known here"},
        {"states", "dead", "states: is not known here"},
        {"state channel", "dead", "query: has a name"},
        {"", "dead", "query: has a name"},
        {"<b>", "dead", "query: has a name"},
        {"state", NULL, "state: must be"},
        {"state", "", "state: must be"},
        {"state", "a\nb", "state: must be"},
        {"state", "\xc3\xa9", "state: must be"},
        {"limit", "7", "limit: is given twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct query query = {0};
        char error[160] = "";
        cr_assert(add(&query, "limit", "5", error));
        cr_assert_not(add(&query, rows[i].name, rows[i].value, error), "%s", rows[i].name);
        cr_assert_eq(strncmp(error, rows[i].error, strlen(rows[i].error)), 0, "%s", error);
        cr_assert_eq(query.count, 1);
    }
}

Test(query, values_are_bounded_and_hold_no_zero)
{
    struct query query = {0};
    char error[160] = "", value[QUERY_VALUE_MAX + 2];
    memset(value, 'x', sizeof(value));
    cr_assert_not(query_add(&query, NAMES, "state", 5, value, QUERY_VALUE_MAX + 1, error, sizeof(error)));
    cr_assert_not(query_add(&query, NAMES, "state", 5, "a\0b", 3, error, sizeof(error)));
    cr_assert(query_add(&query, NAMES, "state", 5, value, QUERY_VALUE_MAX, error, sizeof(error)));
    cr_assert_eq(strlen(query_get(&query, "state")), QUERY_VALUE_MAX);
}

Test(query, numbers)
{
    static const struct {
        const char *text;
        bool is_good;
        uint64_t value;
    } rows[] = {
        {"1", true, 1},
        {"200", true, 200},
        {"007", true, 7},
        {"0", false, 0},
        {"201", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {"1x", false, 0},
        {" 1", false, 0},
        {"1.0", false, 0},
        {"x", false, 0},
        {"18446744073709551617", false, 0},
        {"00000000000000000001", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct query query = {0};
        char error[160] = "";
        uint64_t value = 99;
        cr_assert(add(&query, "limit", rows[i].text, error));
        cr_assert_eq(query_uint(&query, "limit", 1, 200, &value, error, sizeof(error)), rows[i].is_good, "%s",
                     rows[i].text);
        cr_assert_eq(value, rows[i].is_good ? rows[i].value : 99);
        if (!rows[i].is_good)
            cr_assert_str_eq(error, "limit: must be a whole number from 1 to 200");
    }
    struct query none = {0};
    uint64_t value = 50;
    char error[160];
    cr_assert(query_uint(&none, "limit", 1, 200, &value, error, sizeof(error)));
    cr_assert_eq(value, 50, "absent leaves it");
}
