#include "providers/host_limit.h"

#include "base/hashmap.h"

struct host_limit {
    size_t per_host_max, all_max, all;
    struct hashmap *counts; /* of requests under way, by host */
};

struct host_limit *host_limit_create(size_t per_host_max, size_t all_max)
{
    struct host_limit *limit = mem_alloc(sizeof(*limit));
    *limit = (struct host_limit){.per_host_max = per_host_max, .all_max = all_max, .counts = hashmap_create()};
    return limit;
}

void host_limit_destroy(struct host_limit **limit_pointer)
{
    struct host_limit *limit = *limit_pointer;
    *limit_pointer = NULL;
    if (limit == NULL)
        return;
    hashmap_destroy(&limit->counts);
    mem_free(limit);
}

bool host_limit_enter(struct host_limit *limit, const char *host)
{
    uintptr_t count = (uintptr_t)hashmap_get(limit->counts, host);
    if (count >= limit->per_host_max || limit->all >= limit->all_max)
        return false;
    hashmap_set(limit->counts, host, (void *)(count + 1));
    limit->all++;
    return true;
}

void host_limit_leave(struct host_limit *limit, const char *host)
{
    uintptr_t count = (uintptr_t)hashmap_get(limit->counts, host);
    ASSERT(count > 0);
    if (count == 1)
        hashmap_remove(limit->counts, host);
    else
        hashmap_set(limit->counts, host, (void *)(count - 1));
    limit->all--;
}
