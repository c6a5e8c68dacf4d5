#ifndef HANSOM_IDEMPOTENCY_H
#define HANSOM_IDEMPOTENCY_H
/*
 * A request with an Idempotency-Key is done once: its first good answer is kept and given again to the same request;
 * another request with the same key is a conflict. A request that failed may be tried again with the same key.
 */
struct backoffice;
struct exchange;

/* Calls handle when the request is new (or its first attempt was cut off), else answers. */
void idempotency_guard(struct backoffice *app, struct exchange *exchange,
                       void (*handle)(struct backoffice *app, struct exchange *exchange));

#endif
