#ifndef HANSOM_HASHMAP_H
#define HANSOM_HASHMAP_H
/* Map from a zero-terminated string (copied) to a pointer (not owned). FNV-1a, open addressing, power-of-two size. */
#include "base/base.h"

struct hashmap;

struct hashmap *hashmap_create(void);
/* Does not touch the values. Clears the caller's pointer; NULL is allowed. */
void hashmap_destroy(struct hashmap **map);
/* NULL if absent. */
void *hashmap_get(const struct hashmap *map, const char *key);
/* Value may not be NULL. Returns the value that it replaced, or NULL. */
void *hashmap_set(struct hashmap *map, const char *key, void *value);
/* Returns the removed value, or NULL. */
void *hashmap_remove(struct hashmap *map, const char *key);
size_t hashmap_count(const struct hashmap *map);
/* Calls for each entry in no order. The callback may remove the entry that it was called for, nothing else. */
typedef void hashmap_each_cb(void *context, const char *key, void *value);
void hashmap_each(struct hashmap *map, hashmap_each_cb *callback, void *context);

#endif
