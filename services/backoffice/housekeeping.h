#ifndef HANSOM_HOUSEKEEPING_H
#define HANSOM_HOUSEKEEPING_H
/* Deletes what has expired: idempotency keys, and sessions whose last refresh token has. */
struct backoffice;
struct housekeeping;

struct housekeeping *housekeeping_create(struct backoffice *app);
/* Before pg_destroy. Clears the pointer; NULL is allowed. Needs one more turn of the loop. */
void housekeeping_destroy(struct housekeeping **housekeeping);

#endif
