#include "auth/auth.h"
#include "base/lru_cache.h"

struct token_cache {
    struct lru_cache *principals; /* by the token's SHA-256 */
};

static void free_principal(void *value)
{
    struct principal *principal = value;
    principal_unref(&principal);
}

struct token_cache *token_cache_create(size_t capacity)
{
    struct token_cache *cache = mem_alloc(sizeof(*cache));
    cache->principals = lru_cache_create(capacity, free_principal);
    return cache;
}

void token_cache_destroy(struct token_cache **cache_pointer)
{
    struct token_cache *cache = *cache_pointer;
    *cache_pointer = NULL;
    if (cache == NULL)
        return;
    lru_cache_destroy(&cache->principals);
    mem_free(cache);
}

struct principal *token_cache_verify(struct token_cache *cache, const struct key_set *keys, const char *token,
                                     size_t length, int64_t now_ms, const char **why_r)
{
    char key[65];
    sha256_hex(token, length, key);
    struct principal *principal = lru_cache_get(cache->principals, key);
    if (principal != NULL && now_ms <= principal->expires_at_ms) {
        *why_r = NULL;
        return principal_ref(principal);
    }
    lru_cache_remove(cache->principals, key);
    principal = token_verify(keys, token, length, now_ms, why_r);
    if (principal != NULL)
        lru_cache_set(cache->principals, key, principal_ref(principal));
    return principal;
}
