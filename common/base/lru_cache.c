#include "base/lru_cache.h"

#include "base/hashmap.h"
#include "base/list.h"

struct entry {
    struct list_node node; /* oldest use first */
    char *key;
    void *value;
};

struct lru_cache {
    struct hashmap *entries;
    struct list_node by_use;
    size_t capacity;
    lru_cache_free_cb *free_value;
};

struct lru_cache *lru_cache_create(size_t capacity, lru_cache_free_cb *free_value)
{
    ASSERT(capacity > 0);
    struct lru_cache *cache = mem_alloc(sizeof(*cache));
    cache->entries = hashmap_create();
    cache->capacity = capacity;
    cache->free_value = free_value;
    list_init(&cache->by_use);
    return cache;
}

static void forget(struct lru_cache *cache, struct entry *entry)
{
    hashmap_remove(cache->entries, entry->key);
    list_remove(&entry->node);
    cache->free_value(entry->value);
    mem_free(entry->key);
    mem_free(entry);
}

void lru_cache_destroy(struct lru_cache **cache_pointer)
{
    struct lru_cache *cache = *cache_pointer;
    *cache_pointer = NULL;
    if (cache == NULL)
        return;
    while (!list_is_empty(&cache->by_use))
        forget(cache, CONTAINER_OF(cache->by_use.next, struct entry, node));
    hashmap_destroy(&cache->entries);
    mem_free(cache);
}

void *lru_cache_get(struct lru_cache *cache, const char *key)
{
    struct entry *entry = hashmap_get(cache->entries, key);
    if (entry == NULL)
        return NULL;
    list_remove(&entry->node);
    list_append(&cache->by_use, &entry->node);
    return entry->value;
}

void lru_cache_set(struct lru_cache *cache, const char *key, void *value)
{
    ASSERT(value != NULL);
    struct entry *former = hashmap_get(cache->entries, key);
    if (former != NULL)
        forget(cache, former);
    else if (hashmap_count(cache->entries) >= cache->capacity)
        forget(cache, CONTAINER_OF(cache->by_use.next, struct entry, node));
    struct entry *entry = mem_alloc(sizeof(*entry));
    entry->key = mem_strdup(key);
    entry->value = value;
    hashmap_set(cache->entries, key, entry);
    list_append(&cache->by_use, &entry->node);
}

void lru_cache_remove(struct lru_cache *cache, const char *key)
{
    struct entry *entry = hashmap_get(cache->entries, key);
    if (entry != NULL)
        forget(cache, entry);
}

size_t lru_cache_count(const struct lru_cache *cache)
{
    return hashmap_count(cache->entries);
}
