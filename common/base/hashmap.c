#include "base/hashmap.h"

#include "base/ids.h"

#define SLOTS_MIN 16

struct slot {
    char *key; /* NULL: free */
    void *value;
    uint64_t hash;
};

struct hashmap {
    struct slot *slots;
    size_t mask, count;
};

struct hashmap *hashmap_create(void)
{
    struct hashmap *map = mem_alloc(sizeof(*map));
    map->mask = SLOTS_MIN - 1;
    map->slots = mem_alloc(SLOTS_MIN * sizeof(*map->slots));
    return map;
}

void hashmap_destroy(struct hashmap **map_pointer)
{
    struct hashmap *map = *map_pointer;
    *map_pointer = NULL;
    if (map == NULL)
        return;
    for (size_t i = 0; i <= map->mask; i++)
        mem_free(map->slots[i].key);
    mem_free(map->slots);
    mem_free(map);
}

/* The slot that has the key, or the free one where it would go. */
static size_t find(const struct hashmap *map, const char *key, uint64_t hash)
{
    size_t at = hash & map->mask;
    while (map->slots[at].key != NULL && (map->slots[at].hash != hash || strcmp(map->slots[at].key, key) != 0))
        at = (at + 1) & map->mask;
    return at;
}

static void grow(struct hashmap *map)
{
    struct slot *old = map->slots;
    size_t old_size = map->mask + 1;
    map->mask = old_size * 2 - 1;
    map->slots = mem_alloc(old_size * 2 * sizeof(*map->slots));
    for (size_t i = 0; i < old_size; i++)
        if (old[i].key != NULL)
            map->slots[find(map, old[i].key, old[i].hash)] = old[i];
    mem_free(old);
}

void *hashmap_get(const struct hashmap *map, const char *key)
{
    return map->slots[find(map, key, hash_fnv1a64(key, strlen(key)))].value;
}

void *hashmap_set(struct hashmap *map, const char *key, void *value)
{
    ASSERT(value != NULL);
    uint64_t hash = hash_fnv1a64(key, strlen(key));
    size_t at = find(map, key, hash);
    void *replaced = map->slots[at].value;
    if (map->slots[at].key == NULL) {
        if ((map->count + 1) * 4 > (map->mask + 1) * 3) {
            grow(map);
            at = find(map, key, hash);
        }
        map->slots[at].key = mem_strdup(key);
        map->slots[at].hash = hash;
        map->count++;
    }
    map->slots[at].value = value;
    return replaced;
}

/* Backward-shift deletion (Knuth, TAOCP 3, 6.4, algorithm R): no tombstones. */
void *hashmap_remove(struct hashmap *map, const char *key)
{
    size_t at = find(map, key, hash_fnv1a64(key, strlen(key)));
    void *removed = map->slots[at].value;
    if (map->slots[at].key == NULL)
        return NULL;
    mem_free(map->slots[at].key);
    map->count--;
    size_t hole = at;
    for (size_t next = (hole + 1) & map->mask; map->slots[next].key != NULL; next = (next + 1) & map->mask) {
        size_t home = map->slots[next].hash & map->mask;
        if (((next - home) & map->mask) >= ((next - hole) & map->mask)) {
            map->slots[hole] = map->slots[next];
            hole = next;
        }
    }
    map->slots[hole] = (struct slot){0};
    return removed;
}

size_t hashmap_count(const struct hashmap *map)
{
    return map->count;
}

void hashmap_each(struct hashmap *map, hashmap_each_cb *callback, void *context)
{
    /* Values are visited from a copy of the keys: a removal moves slots. */
    size_t count = map->count, filled = 0;
    char **keys = mem_alloc((count + 1) * sizeof(*keys));
    for (size_t i = 0; i <= map->mask; i++)
        if (map->slots[i].key != NULL)
            keys[filled++] = mem_strdup(map->slots[i].key);
    ASSERT(filled == count);
    for (size_t i = 0; i < count; i++) {
        void *value = hashmap_get(map, keys[i]);
        if (value != NULL)
            callback(context, keys[i], value);
        mem_free(keys[i]);
    }
    mem_free(keys);
}
