#include "auth/auth.h"
#include "base/hashmap.h"
#include "base/list.h"

struct entry {
    struct list_node node; /* oldest use first */
    struct principal *principal;
    char key[65];
};

struct token_cache {
    struct hashmap *entries;
    struct list_node by_use;
    size_t capacity;
};

struct token_cache *token_cache_create(size_t capacity)
{
    ASSERT(capacity > 0);
    struct token_cache *cache = mem_alloc(sizeof(*cache));
    cache->entries = hashmap_create();
    cache->capacity = capacity;
    list_init(&cache->by_use);
    return cache;
}

static void forget(struct token_cache *cache, struct entry *entry)
{
    hashmap_remove(cache->entries, entry->key);
    list_remove(&entry->node);
    principal_unref(&entry->principal);
    mem_free(entry);
}

void token_cache_destroy(struct token_cache **cache_pointer)
{
    struct token_cache *cache = *cache_pointer;
    *cache_pointer = NULL;
    if (cache == NULL)
        return;
    while (!list_is_empty(&cache->by_use))
        forget(cache, CONTAINER_OF(cache->by_use.next, struct entry, node));
    hashmap_destroy(&cache->entries);
    mem_free(cache);
}

static void remember(struct token_cache *cache, const char *key, struct principal *principal)
{
    if (hashmap_count(cache->entries) >= cache->capacity)
        forget(cache, CONTAINER_OF(cache->by_use.next, struct entry, node));
    struct entry *entry = mem_alloc(sizeof(*entry));
    entry->principal = principal_ref(principal);
    str_copy(entry->key, sizeof(entry->key), key);
    hashmap_set(cache->entries, key, entry);
    list_append(&cache->by_use, &entry->node);
}

struct principal *token_cache_verify(struct token_cache *cache, const struct key_set *keys, const char *token,
                                     size_t length, int64_t now_ms, const char **why_r)
{
    char key[65];
    sha256_hex(token, length, key);
    struct entry *entry = hashmap_get(cache->entries, key);
    if (entry != NULL && now_ms > entry->principal->expires_at_ms) {
        forget(cache, entry);
        entry = NULL;
    }
    if (entry != NULL) {
        list_remove(&entry->node);
        list_append(&cache->by_use, &entry->node);
        *why_r = NULL;
        return principal_ref(entry->principal);
    }
    struct principal *principal = token_verify(keys, token, length, now_ms, why_r);
    if (principal != NULL)
        remember(cache, key, principal);
    return principal;
}
