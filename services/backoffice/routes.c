#include "routes.h"

#include "core/route_match.h"

const struct route routes[ROUTE_COUNT] = {
#define ROUTE(name, method, pattern, auth, query, limit, idempotency, handler)                                         \
    {method, pattern, query, limit, handler, auth, idempotency},
#include "routes.def"
#undef ROUTE
};

const char *const route_names[] = {
#define ROUTE(name, ...) #name,
#include "routes.def"
#undef ROUTE
    "none", NULL};

static void add_allowed(char *allow, size_t size, const char *method)
{
    size_t used = strlen(allow);
    snprintf(allow + used, size - used, "%s%s%s", used > 0 ? ", " : "", method,
             str_equal(method, "GET") ? ", HEAD" : "");
}

enum route_outcome route_find(const char *method, const char *path, const struct route **route_r, char id_r[ID_SIZE],
                              char *allow_r, size_t allow_size)
{
    const char *wanted = str_equal(method, "HEAD") ? "GET" : method;
    *allow_r = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        enum route_match match = route_match(routes[i].pattern, path, id_r);
        if (match == ROUTE_DIFFERS)
            continue;
        if (str_equal(routes[i].method, wanted)) {
            *route_r = &routes[i];
            return match == ROUTE_MATCHES ? ROUTE_FOUND : ROUTE_WRONG_ID;
        }
        add_allowed(allow_r, allow_size, routes[i].method);
    }
    return *allow_r == '\0' ? ROUTE_UNKNOWN : ROUTE_WRONG_METHOD;
}
