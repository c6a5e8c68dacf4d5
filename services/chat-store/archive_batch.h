#ifndef HANSOM_ARCHIVE_BATCH_H
#define HANSOM_ARCHIVE_BATCH_H
/*
 * Items on their way into the database, in one transaction: inserted, compared with what was there, emptied where they
 * have been deleted, acknowledged. An outcome that is not known, or that says nothing about the items, is tried again.
 */
#include "base/list.h"
#include "chat_store.h"

#define ARCHIVE_REPLY_SIZE 256

struct archive_item {
    struct list_node node;
    Hansom__ChatItem *item;
    uint64_t epoch, sequence;
    uint64_t taken_ms;
    int64_t stored_at_ms;
    bool was_there;    /* the batch found it in the archive, or another one in its place */
    bool is_overtaken; /* something newer of its chat was archived before it */
    char reply[ARCHIVE_REPLY_SIZE];
};
static inline struct archive_item *archive_item_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct archive_item, node);
}
/* Both free the item: it is done; it is to come again. */
void archive_item_end(struct bus_pull *pull, struct archive_item *item);
void archive_item_put_back(struct bus_pull *pull, struct archive_item *item, uint64_t delay_ms);

struct archive_batch;
typedef void archive_batch_cb(void *context, struct archive_batch *batch);

struct archive_batch {
    struct chat_store *store;
    struct bus_pull *pull;
    struct list_node items; /* in the order they came, all of one epoch */
    size_t count;
    bool is_busy; /* with the database, or waiting for its next try */
    unsigned attempt;
    bool may_be_there; /* some of it: it was sent before with an outcome that is not known, or refused for that */
    uv_timer_t retry;
    archive_batch_cb *on_done;    /* it is empty again */
    archive_batch_cb *on_refused; /* the database refuses something in it: send less of it */
    void *context;
};

/* The timer is the caller's to close. */
void archive_batch_init(struct archive_batch *batch, struct chat_store *store, archive_batch_cb *on_done,
                        archive_batch_cb *on_refused, void *context);
/* Takes it over. */
void archive_batch_add(struct archive_batch *batch, struct archive_item *item);
/* False: it is of another making of the stream. */
bool archive_batch_fits(const struct archive_batch *batch, const struct archive_item *item);
void archive_batch_send(struct archive_batch *batch);
/* Its last item was taken out by the caller. */
void archive_batch_done(struct archive_batch *batch);
/* The database is there again: no need to wait out a long back-off. */
void archive_batch_hurry(struct archive_batch *batch);

#endif
