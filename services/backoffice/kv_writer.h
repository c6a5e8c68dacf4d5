#ifndef HANSOM_KV_WRITER_H
#define HANSOM_KV_WRITER_H
/*
 * Writes to a key-value bucket that never go backwards, whoever else writes: the current entry is read, and a newer one
 * is put in its place with the expected revision; an entry that is as new already is left as it is. That the bucket has
 * it is then noted in the database, without waiting for it: what is not noted, the outbox writes again.
 */
#include "bus/bus.h"
#include "pg/pg.h"

struct kv_writer;

struct kv_record {
    const char *bucket, *key;
    uint64_t version;                             /* of data */
    uint64_t (*version_of)(const void *, size_t); /* of an entry; 0 when it cannot be read */
    const void *data;
    size_t length;
    const char *note_sql; /* a literal; $1 is the key, $2 the version, as texts */
};
/* BUS_OK: the bucket holds this version or a newer one. Any other status: it may or may not. */
typedef void kv_done_cb(void *context, enum bus_status status);

struct kv_writer *kv_writer_create(struct bus *bus, struct pg *pg, uint32_t timeout_ms);
/* Callbacks of writes under way do not come. Before bus_destroy and pg_destroy. Clears the pointer; NULL is allowed. */
void kv_writer_destroy(struct kv_writer **writer);
/* The record is copied. The callback comes exactly once, never before this returns. */
void kv_write_newer(struct kv_writer *writer, const struct kv_record *record, kv_done_cb *callback, void *context);

#endif
