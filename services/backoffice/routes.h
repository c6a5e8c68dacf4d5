#ifndef HANSOM_ROUTES_H
#define HANSOM_ROUTES_H
/* The route table. A row holds all that the gate must check before the handler sees a request. */
#include "base/ids.h"

struct backoffice;
struct exchange;

enum auth_class {
    AUTH_NONE,
    AUTH_API_KEY,
};

struct route {
    const char *method, *pattern;
    const char *query;       /* names of its parameters, space separated; "": it is not looked at */
    size_t body_limit_bytes; /* 0: no body is looked at */
    /* Loop thread. Answers exactly once, now or later. */
    void (*handle)(struct backoffice *app, struct exchange *exchange);
    enum auth_class auth;
    bool is_idempotent;
};

enum route_index {
#define ROUTE(name, ...) ROUTE_##name,
#include "routes.def"
#undef ROUTE
    ROUTE_COUNT
};
extern const struct route routes[ROUTE_COUNT];
/* The routes' names and "none", NULL-terminated; index ROUTE_COUNT is "none". */
extern const char *const route_names[];

#define ROUTE(name, method, pattern, auth, query, limit, idempotency, handler)                                         \
    void handler(struct backoffice *app, struct exchange *exchange);
#include "routes.def"
#undef ROUTE

enum route_outcome { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_WRONG_METHOD, ROUTE_WRONG_ID };
/* HEAD is answered by the GET route. On ROUTE_FOUND and ROUTE_WRONG_ID *route_r is set, on ROUTE_FOUND id_r too. On
 * ROUTE_WRONG_METHOD allow_r (of allow_size) lists the methods. Any thread. */
enum route_outcome route_find(const char *method, const char *path, const struct route **route_r, char id_r[ID_SIZE],
                              char *allow_r, size_t allow_size);

#endif
