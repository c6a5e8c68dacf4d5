#include "base/heap.h"

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_finish(struct heap *heap)
{
    mem_free(heap->nodes);
    *heap = (struct heap){0};
}

static void place(struct heap *heap, uint32_t index, struct heap_node *node)
{
    heap->nodes[index - 1] = node;
    node->index = index;
}

static void sift_up(struct heap *heap, struct heap_node *node)
{
    uint32_t index = node->index;
    for (; index > 1 && heap->nodes[index / 2 - 1]->key > node->key; index /= 2)
        place(heap, index, heap->nodes[index / 2 - 1]);
    place(heap, index, node);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
    uint32_t index = node->index;
    for (uint32_t child; (child = index * 2) <= heap->count; index = child) {
        if (child < heap->count && heap->nodes[child]->key < heap->nodes[child - 1]->key)
            child++;
        if (heap->nodes[child - 1]->key >= node->key)
            break;
        place(heap, index, heap->nodes[child - 1]);
    }
    place(heap, index, node);
}

void heap_update(struct heap *heap, struct heap_node *node, uint64_t key)
{
    node->key = key;
    if (node->index == 0) {
        if (heap->count == heap->capacity) {
            heap->capacity = heap->capacity == 0 ? 16 : heap->capacity * 2;
            heap->nodes = mem_realloc(heap->nodes, heap->capacity * sizeof(*heap->nodes));
        }
        place(heap, ++heap->count, node);
    }
    sift_up(heap, node);
    sift_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->index == 0)
        return;
    uint32_t index = node->index;
    struct heap_node *last = heap->nodes[--heap->count];
    node->index = 0;
    if (last == node)
        return;
    place(heap, index, last);
    sift_up(heap, last);
    sift_down(heap, last);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}
