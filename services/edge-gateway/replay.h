#ifndef HANSOM_REPLAY_H
#define HANSOM_REPLAY_H
/*
 * The history that somebody who subscribes is to get: exactly what was missed since a place, if that is provable, else
 * the last items. Read from the stream by direct gets; for chat the older part comes from the archive, as far as that
 * is there. The subscription must be live already, so that nothing falls between.
 */
#include "hub.h"

struct replay;

struct replay_result {
    uint64_t epoch;
    uint64_t position; /* sequence of the channel's last item, 0: it is empty */
    bool is_recovered;
    bool has_unread; /* the archive could be asked */
    uint32_t unread;
    const Hansom__ChatOpenReply *archive; /* marks; NULL: not asked or no answer */
};

/* Comes once, never before replay_start returned. status not BUS_OK: result is NULL. Whoever started it ends it there
 * with replay_cancel. */
typedef void replay_done_cb(void *context, enum bus_status status, const struct replay_result *result);

struct replay_since {
    bool is_given;
    uint64_t epoch, sequence;
};

struct replay *replay_start(struct subscription *subscription, const struct replay_since *since,
                            replay_done_cb *callback, void *context);
/* Frees it; no callback comes any more. Clears the pointer; NULL is allowed. */
void replay_cancel(struct replay **replay);
/* Inside the callback: the items as elements of an array that was begun; events that expire are noted. */
void replay_write_messages(const struct replay *replay, struct json_writer *json, struct expiring *expiring);

#endif
