#ifndef HANSOM_HEAP_H
#define HANSOM_HEAP_H
/*
 * Binary heap of deadlines with the node inside the element: O(log n) insert, move and removal of any node. Equal
 * deadlines come out in no particular order.
 */
#include "base/base.h"

struct heap_node {
    uint64_t key;   /* the deadline, any unit, smallest first; change only through heap_update */
    uint32_t index; /* 1-based place; 0 = not in a heap (zeroed memory is a valid unlinked node) */
};

struct heap {
    struct heap_node **nodes;
    uint32_t count, capacity;
};

void heap_init(struct heap *heap);
void heap_finish(struct heap *heap);
/* Inserts, or moves when it is in the heap already. */
void heap_update(struct heap *heap, struct heap_node *node, uint64_t key);
/* Does nothing when it is not in the heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* NULL when empty. */
struct heap_node *heap_first(const struct heap *heap);
static inline bool heap_has(const struct heap_node *node)
{
    return node->index != 0;
}

#endif
