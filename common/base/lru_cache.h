#ifndef HANSOM_LRU_CACHE_H
#define HANSOM_LRU_CACHE_H
/* A bounded map from a zero-terminated string (copied) to a pointer (owned): what was not used longest goes first. */
#include "base/base.h"

struct lru_cache;

/* Called for each value that leaves the cache. */
typedef void lru_cache_free_cb(void *value);
struct lru_cache *lru_cache_create(size_t capacity, lru_cache_free_cb *free_value);
/* Frees the values. Clears the pointer; NULL is allowed. */
void lru_cache_destroy(struct lru_cache **cache);
/* NULL if absent; counts as a use. Valid until the next lru_cache_set. */
void *lru_cache_get(struct lru_cache *cache, const char *key);
/* Takes the value, which may not be NULL; frees the one that it replaces and, beyond the capacity, the least used. */
void lru_cache_set(struct lru_cache *cache, const char *key, void *value);
/* Frees the value; nothing happens if it is absent. */
void lru_cache_remove(struct lru_cache *cache, const char *key);
size_t lru_cache_count(const struct lru_cache *cache);

#endif
