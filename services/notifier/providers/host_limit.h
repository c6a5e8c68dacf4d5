#ifndef HANSOM_HOST_LIMIT_H
#define HANSOM_HOST_LIMIT_H
/*
 * How many requests are under way to hosts that strangers chose: to each of them, and to all together. One that does
 * not answer stands in nobody else's way, and neither do many. Loop thread only.
 */
#include "base/base.h"

struct host_limit;

struct host_limit *host_limit_create(size_t per_host_max, size_t all_max);
/* Clears the pointer; NULL is allowed. */
void host_limit_destroy(struct host_limit **limit);
/* One more; host_limit_leave follows. False: there is no place. */
MUST_CHECK bool host_limit_enter(struct host_limit *limit, const char *host);
void host_limit_leave(struct host_limit *limit, const char *host);

#endif
