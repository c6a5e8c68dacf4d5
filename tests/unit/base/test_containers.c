/* hashmap and heap against models that are too simple to be wrong. */
#include <criterion/criterion.h>

#include "base/hashmap.h"
#include "base/heap.h"
#include "base/lru_cache.h"
#include "random_sequence.h"

#define KEYS 300
#define NODES 200

static void key_of(size_t index, char out[32])
{
    snprintf(out, 32, "booking-%zu", index);
}

static void count_and_check(void *context, const char *key, void *value)
{
    char expected[32];
    key_of((size_t)((char *)value - (char *)context) % KEYS, expected);
    cr_assert_str_eq(key, expected);
}

static void check_map(struct hashmap *map, void *model[KEYS], char *values)
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        char key[32];
        key_of(i, key);
        cr_assert_eq(hashmap_get(map, key), model[i], "key %zu", i);
        count += model[i] != NULL;
    }
    cr_assert_eq(hashmap_count(map), count);
    hashmap_each(map, count_and_check, values);
}

Test(hashmap, behaves_as_an_array_under_random_sets_and_removals)
{
    static char values[KEYS * 4];
    void *model[KEYS] = {NULL};
    struct hashmap *map = hashmap_create();
    uint64_t state = 42;
    for (unsigned step = 0; step < 20000; step++) {
        size_t index = sequence_below(&state, KEYS);
        char key[32];
        key_of(index, key);
        /* phases that grow and phases that shrink */
        bool is_set = sequence_below(&state, 10) < ((step / 2000) % 2 == 0 ? 8 : 2);
        void *value = is_set ? &values[index + KEYS * sequence_below(&state, 4)] : NULL;
        cr_assert_eq(is_set ? hashmap_set(map, key, value) : hashmap_remove(map, key), model[index]);
        model[index] = value;
        if (step % 250 == 0)
            check_map(map, model, values);
    }
    check_map(map, model, values);
    hashmap_destroy(&map);
    cr_assert_null(map);
    hashmap_destroy(&map);
}

struct sweep {
    struct hashmap *map;
    unsigned calls;
};

static void remove_this(void *context, const char *key, void *value)
{
    struct sweep *sweep = context;
    sweep->calls++;
    cr_assert_eq(hashmap_remove(sweep->map, key), value);
}

Test(hashmap, each_may_remove_its_own_entry)
{
    static char value;
    struct sweep sweep = {.map = hashmap_create()};
    for (size_t i = 0; i < KEYS; i++) {
        char key[32];
        key_of(i, key);
        hashmap_set(sweep.map, key, &value);
    }
    hashmap_each(sweep.map, remove_this, &sweep);
    cr_assert_eq(sweep.calls, KEYS);
    cr_assert_eq(hashmap_count(sweep.map), 0);
    hashmap_destroy(&sweep.map);
}

Test(hashmap, copies_the_key)
{
    static char value;
    char key[] = "driver-1";
    struct hashmap *map = hashmap_create();
    hashmap_set(map, key, &value);
    key[0] = 'x';
    cr_assert_eq(hashmap_get(map, "driver-1"), &value);
    cr_assert_null(hashmap_get(map, key));
    cr_assert_null(hashmap_get(map, ""));
    hashmap_destroy(&map);
}

static void check_heap(const struct heap *heap, const struct heap_node nodes[NODES], const bool is_in[NODES])
{
    uint64_t least = UINT64_MAX;
    uint32_t count = 0;
    for (size_t i = 0; i < NODES; i++) {
        cr_assert_eq(heap_has(&nodes[i]), is_in[i]);
        count += is_in[i];
        if (is_in[i] && nodes[i].key < least)
            least = nodes[i].key;
        if (is_in[i])
            cr_assert_eq(heap->nodes[nodes[i].index - 1], &nodes[i]);
    }
    cr_assert_eq(heap->count, count);
    cr_assert(count == 0 ? heap_first(heap) == NULL : heap_first(heap)->key == least);
}

Test(heap, first_is_the_least_under_random_updates_and_removals)
{
    static struct heap_node nodes[NODES];
    static bool is_in[NODES];
    struct heap heap;
    uint64_t state = 7;
    heap_init(&heap);
    for (unsigned step = 0; step < 20000; step++) {
        size_t index = sequence_below(&state, NODES);
        is_in[index] = sequence_below(&state, 10) < ((step / 2000) % 2 == 0 ? 8 : 3);
        if (is_in[index])
            heap_update(&heap, &nodes[index], sequence_below(&state, 100)); /* many are equal */
        else
            heap_remove(&heap, &nodes[index]);
        check_heap(&heap, nodes, is_in);
    }
    heap_finish(&heap);
}

Test(heap, comes_out_sorted)
{
    static struct heap_node nodes[NODES];
    struct heap heap;
    uint64_t state = 99, last = 0;
    heap_init(&heap);
    for (size_t i = 0; i < NODES; i++)
        heap_update(&heap, &nodes[i], sequence_below(&state, 1000));
    for (size_t i = 0; i < NODES; i++) {
        struct heap_node *first = heap_first(&heap);
        cr_assert_geq(first->key, last);
        last = first->key;
        heap_remove(&heap, first);
    }
    cr_assert_null(heap_first(&heap));
    heap_finish(&heap);
}

static size_t freed;
static void count_free(void *value)
{
    (void)value;
    freed++;
}

Test(lru_cache, keeps_what_was_used_last)
{
    char key[32];
    int values[4] = {0};
    struct lru_cache *cache = lru_cache_create(3, count_free);
    for (size_t i = 0; i < 3; i++) {
        key_of(i, key);
        lru_cache_set(cache, key, &values[i]);
    }
    cr_assert_eq(lru_cache_get(cache, "booking-0"), &values[0]);
    lru_cache_set(cache, "booking-3", &values[3]);
    cr_assert_null(lru_cache_get(cache, "booking-1"), "the least used one went");
    cr_assert_eq(lru_cache_get(cache, "booking-0"), &values[0]);
    cr_assert_eq(freed, 1);
    lru_cache_set(cache, "booking-0", &values[1]);
    cr_assert_eq(lru_cache_get(cache, "booking-0"), &values[1]);
    cr_assert_eq(lru_cache_count(cache), 3);
    cr_assert_eq(freed, 2);
    lru_cache_remove(cache, "booking-2");
    lru_cache_remove(cache, "booking-2");
    cr_assert_null(lru_cache_get(cache, "booking-2"));
    cr_assert_eq(freed, 3);
    lru_cache_destroy(&cache);
    cr_assert_null(cache);
    cr_assert_eq(freed, 5);
    lru_cache_destroy(&cache);
}
