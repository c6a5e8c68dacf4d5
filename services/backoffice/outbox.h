#ifndef HANSOM_OUTBOX_H
#define HANSOM_OUTBOX_H
/*
 * Changes whose copy in NATS was not confirmed (NATS or this process was away) are published again, a bounded batch at
 * a time, until they are.
 */
struct backoffice;
struct outbox;

struct outbox *outbox_create(struct backoffice *app);
/* Before kv_writer_destroy and pg_destroy. Clears the pointer; NULL is allowed. Needs one more turn of the loop. */
void outbox_destroy(struct outbox **outbox);

#endif
