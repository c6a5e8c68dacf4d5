#ifndef HANSOM_EXPIRING_H
#define HANSOM_EXPIRING_H
/*
 * User events that may wait in a text until they have expired. Each is a part of the text that then gives way to its
 * tombstone, in place and filled up with spaces, which JSON allows: no length changes, whoever shares the text. Pure.
 */
#include "wire/wire.h"

struct expiring_part;
/* All zero: nothing in it. */
struct expiring {
    struct expiring_part *parts;
    uint32_t count, capacity;
};

void expiring_finish(struct expiring *expiring);
/* Writes the event, or its tombstone if it has expired, after a json_key; one that is yet to expire is noted. Places
 * count from the beginning of json->out. */
void expiring_write_event(struct expiring *expiring, struct json_writer *json, const Hansom__UserEvent *event,
                          int64_t now_ms);
/* When the next one expires; 0: none does. */
int64_t expiring_next_ms(const struct expiring *expiring);
/* Puts the tombstones of what has expired into the text. */
void expiring_apply(struct expiring *expiring, char *text, int64_t now_ms);

#endif
