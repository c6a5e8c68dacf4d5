#ifndef HANSOM_KV_KEEPER_H
#define HANSOM_KV_KEEPER_H
/*
 * Writes that must arrive: each is tried again with jitter until the stream has it or it is too old. Of writes to one
 * subject without a message id only the newest matters, and an older one that is still being tried gives way.
 */
#include "bus/bus.h"

struct kv_keeper;
typedef void kv_keeper_failed_cb(void *context);

struct kv_keeper *kv_keeper_create(struct bus *bus, uv_loop_t *loop, kv_keeper_failed_cb *on_failed, void *context);
void kv_keeper_destroy(struct kv_keeper **keeper);
/* message_id NULL: the newest wins. Everything is copied. */
void kv_keeper_store(struct kv_keeper *keeper, const char *subject, const char *message_id, const void *data,
                     size_t length);

#endif
