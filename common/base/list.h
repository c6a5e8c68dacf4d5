#ifndef HANSOM_LIST_H
#define HANSOM_LIST_H
/* Circular doubly linked list with the node inside the element (CONTAINER_OF gets back to it). */
#include "base/base.h"

struct list_node {
    struct list_node *next, *prev;
};

static inline void list_init(struct list_node *head)
{
    head->next = head->prev = head;
}
static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}
/* A node that was list_init'ed or removed is not linked. */
static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != node && node->next != NULL;
}
static inline void list_append(struct list_node *head, struct list_node *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
/* Unlinking a node that is not linked does nothing. */
static inline void list_remove(struct list_node *node)
{
    if (node->next == NULL)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}

#define LIST_EACH(head, node) for (struct list_node *node = (head)->next; node != (head); node = node->next)
#define LIST_EACH_SAFE(head, node, following)                                                                          \
    for (struct list_node *node = (head)->next, *following = node->next; node != (head);                               \
         node = following, following = node->next)

#endif
