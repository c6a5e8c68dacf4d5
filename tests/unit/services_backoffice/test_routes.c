#include <criterion/criterion.h>

#include "core/route_match.h"

Test(route_match, paths)
{
    static const struct {
        const char *pattern, *path;
        enum route_match expected;
        const char *id;
    } rows[] = {
        {"/healthz", "/healthz", ROUTE_MATCHES, ""},
        {"/healthz", "/healthz/", ROUTE_DIFFERS, NULL},
        {"/healthz", "/health", ROUTE_DIFFERS, NULL},
        {"/healthz", "/healthzz", ROUTE_DIFFERS, NULL},
        {"/healthz", "", ROUTE_DIFFERS, NULL},
        {"/healthz", "/", ROUTE_DIFFERS, NULL},
        {"/v1/bookings/{id}", "/v1/bookings/B-1_x", ROUTE_MATCHES, "B-1_x"},
        {"/v1/bookings/{id}", "/v1/bookings", ROUTE_DIFFERS, NULL},
        {"/v1/bookings/{id}", "/v1/bookings/", ROUTE_BAD_ID, NULL},
        {"/v1/bookings/{id}", "/v1/bookings/a.b", ROUTE_BAD_ID, NULL},
        {"/v1/bookings/{id}", "/v1/bookings/a/chat", ROUTE_DIFFERS, NULL},
        {"/v1/bookings/{id}", "/v2/bookings/a", ROUTE_DIFFERS, NULL},
        {"/v1/users/{id}/sessions", "/v1/users/u1/sessions", ROUTE_MATCHES, "u1"},
        {"/v1/users/{id}/sessions", "/v1/users/u1/data", ROUTE_DIFFERS, NULL},
        {"/v1/users/{id}/sessions", "/v1/users//sessions", ROUTE_BAD_ID, NULL},
        {"/v1/users/{id}/sessions", "/v1/users/u1", ROUTE_DIFFERS, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char id[ID_SIZE];
        cr_assert_eq(route_match(rows[i].pattern, rows[i].path, id), rows[i].expected, "%s", rows[i].path);
        if (rows[i].id != NULL)
            cr_assert_str_eq(id, rows[i].id);
    }
    char path[128], id[ID_SIZE];
    snprintf(path, sizeof(path), "/v1/bookings/%065d", 0);
    cr_assert_eq(route_match("/v1/bookings/{id}", path, id), ROUTE_BAD_ID);
    snprintf(path, sizeof(path), "/v1/bookings/%064d", 0);
    cr_assert_eq(route_match("/v1/bookings/{id}", path, id), ROUTE_MATCHES);
}
