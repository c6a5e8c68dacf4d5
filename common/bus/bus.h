#ifndef HANSOM_BUS_H
#define HANSOM_BUS_H
/*
 * NATS for a service with one loop. Everything here is called on the loop's thread and every callback comes on it:
 * nats.c's threads only put messages into one queue and wake the loop once per batch. Nothing blocks; whatever needs
 * an answer is a request with a callback and a deadline.
 *
 * The connection is kept for ever: it is made again with jitter when it is lost, and the streams and buckets of
 * proto/streams.def are made or checked at each connect before `BUS_CONNECTED` is told.
 */
#include <uv.h>

#include "base/base.h"

struct bus;
struct bus_subscription;
struct bus_request;

struct bus_config {
    const char *url;             /* one or several, comma separated */
    const char *user, *password; /* may be NULL or empty */
    const char *name;            /* shown by the server's monitoring */
    int replicas;                /* of streams and buckets, 1..5 */
};

enum bus_status {
    BUS_OK,
    BUS_TIMEOUT,      /* no answer in time: for a write, uncertain */
    BUS_DISCONNECTED, /* not connected, or the connection was lost meanwhile: for a write, uncertain */
    BUS_NOT_FOUND,    /* no such message or key; no one answers this subject */
    BUS_CONFLICT,     /* the expected revision was wrong */
    BUS_ERROR,        /* the server refused; the reason is logged */
};
const char *bus_status_name(enum bus_status status);

struct bus_message {
    const char *subject; /* of this message, zero-terminated */
    const char *reply;   /* NULL if none is wanted */
    const uint8_t *data; /* valid during the callback */
    size_t length;
    uint64_t sequence;      /* JetStream messages and republished ones, else 0 */
    uint64_t last_sequence; /* republished ones: of the message before it on this subject */
    int64_t stored_at_ms;   /* messages read from a stream: when it was stored, else 0 */
};

typedef void bus_message_cb(void *context, const struct bus_message *message);
typedef void bus_reply_cb(void *context, enum bus_status status, const struct bus_message *reply);

enum bus_state { BUS_CONNECTED, BUS_LOST };
typedef void bus_state_cb(void *context, enum bus_state state);
typedef void bus_batch_cb(void *context);

/* Starts connecting in the background. NULL with *error_r (mem_free) when the configuration is unusable. */
struct bus *bus_create(uv_loop_t *loop, const struct bus_config *config, char **error_r);
/* Flushes what was published (bounded, 1 s), closes, frees the subscriptions left; callbacks of requests under way are
 * not called. Clears the pointer; NULL is allowed. Needs one more turn of the loop. */
void bus_destroy(struct bus **bus);
bool bus_is_connected(const struct bus *bus);
/* Told at each change; at once if it is connected already. One listener. */
void bus_on_state(struct bus *bus, bus_state_cb *callback, void *context);
/* Called after each batch of messages that one wake-up brought: the place to flush what they caused. One listener. */
void bus_on_batch_end(struct bus *bus, bus_batch_cb *callback, void *context);

/* Core subscription; survives reconnects; may be made while disconnected. queue may be NULL. Never NULL. */
struct bus_subscription *bus_subscribe(struct bus *bus, const char *subject, const char *queue,
                                       bus_message_cb *callback, void *context);
/* No callback comes after it. Allowed inside the callback. Clears the pointer; NULL is allowed. */
void bus_unsubscribe(struct bus_subscription **subscription);

/* At most once. False while disconnected: nothing is kept back for later. */
bool bus_publish(struct bus *bus, const char *subject, const void *data, size_t length);
/* Request and one reply. The callback always comes exactly once (unless cancelled), never before this returns. */
struct bus_request *bus_request(struct bus *bus, const char *subject, const void *data, size_t length,
                                uint32_t timeout_ms, bus_reply_cb *callback, void *context);
/* No callback comes after it; the request itself is not taken back. Clears the pointer; NULL is allowed. */
void bus_request_cancel(struct bus_request **request);

/* JetStream publish: the callback's status is BUS_OK once the stream has it; sequence in result. */
struct bus_ack {
    uint64_t sequence;
    bool is_duplicate; /* same message id within the stream's window: sequence is the first one's */
};
typedef void bus_ack_cb(void *context, enum bus_status status, const struct bus_ack *ack);
#define BUS_ANY_REVISION UINT64_MAX
/* message_id may be NULL. expected_revision: sequence of the last message on the subject (0 = there is none), or
 * BUS_ANY_REVISION. */
struct bus_request *bus_store(struct bus *bus, const char *subject, const char *message_id, uint64_t expected_revision,
                              const void *data, size_t length, uint32_t timeout_ms, bus_ack_cb *callback,
                              void *context);
/* Deletes a key of a bucket (marker message). */
struct bus_request *bus_kv_delete(struct bus *bus, const char *bucket, const char *key, uint32_t timeout_ms,
                                  bus_ack_cb *callback, void *context);
/* Direct get of the last message on a subject. A deleted key is BUS_NOT_FOUND. */
struct bus_request *bus_get_last(struct bus *bus, const char *stream, const char *subject, uint32_t timeout_ms,
                                 bus_reply_cb *callback, void *context);
/* Direct get of the first message with sequence >= `sequence` on a subject. */
struct bus_request *bus_get_next(struct bus *bus, const char *stream, const char *subject, uint64_t sequence,
                                 uint32_t timeout_ms, bus_reply_cb *callback, void *context);
/* Key of a bucket. */
struct bus_request *bus_kv_get(struct bus *bus, const char *bucket, const char *key, uint32_t timeout_ms,
                               bus_reply_cb *callback, void *context);

/* Removes one message from a stream, as if it had never been stored: an expected_revision of 0 holds again for its
 * subject. */
struct bus_request *bus_delete_sequence(struct bus *bus, const char *stream, uint64_t sequence, uint32_t timeout_ms,
                                        bus_reply_cb *callback, void *context);

/* Removes all messages of a subject from a stream. BUS_OK: they are gone. The reply is always NULL. */
struct bus_request *bus_purge_subject(struct bus *bus, const char *stream, const char *subject, uint32_t timeout_ms,
                                      bus_reply_cb *callback, void *context);
/*
 * When a stream of proto/streams.def was made (ms since 1970): sequences of another epoch mean nothing. 0 before the
 * first connect.
 */
uint64_t bus_stream_epoch(const struct bus *bus, const char *stream);

/*
 * The messages of one subject of a stream in their order, from a sequence on, by one direct get after the other. Ends
 * with BUS_OK behind the last one. on_item false: enough; the walk is freed and on_done does not come.
 */
typedef bool bus_walk_item_cb(void *context, const struct bus_message *message);
typedef void bus_walk_done_cb(void *context, enum bus_status status);
struct bus_walk;
/* The strings are copied. Never NULL; no callback comes before it returns. */
struct bus_walk *bus_walk_start(struct bus *bus, const char *stream, const char *subject, uint64_t from_sequence,
                                bus_walk_item_cb *on_item, bus_walk_done_cb *on_done, void *context);
/* No callback comes after it. Not from within on_item. Clears the pointer; NULL is allowed. */
void bus_walk_cancel(struct bus_walk **walk);

/*
 * Work from a durable consumer of proto/streams.def, shared with the other instances that pull from it. A message that
 * is not acknowledged within the consumer's ack_wait comes again, to anybody.
 */
struct bus_pull;
struct bus_pulled {
    struct bus_message message; /* sequence and stored_at_ms of the stream; reply: what to acknowledge with */
    uint64_t delivered;         /* 1: for the first time */
    uint64_t pending;           /* how many more there are for the consumer */
};
typedef void bus_pulled_cb(void *context, const struct bus_pulled *pulled);
/* At most max_outstanding messages are with the caller at a time; each is ended by bus_pull_ack or bus_pull_retry. */
struct bus_pull *bus_pull_create(struct bus *bus, const char *stream, const char *consumer, unsigned max_outstanding,
                                 bus_pulled_cb *callback, void *context);
/* No callback comes after it. Clears the pointer; NULL is allowed. */
void bus_pull_destroy(struct bus_pull **pull);
/* Right after bus_pull_create. The first message after a silence still comes at once; what follows comes in groups, up
 * to pace_ms late. That costs everybody far less than one at a time. */
void bus_pull_set_pace(struct bus_pull *pull, uint64_t pace_ms);
/* Call from the bus_on_state listener. */
void bus_pull_bus_state(struct bus_pull *pull, enum bus_state state);
/* It is done for good. (If the word is lost it comes again.) */
void bus_pull_ack(struct bus_pull *pull, const char *reply);
/* It is not done; to come again after the delay. */
void bus_pull_retry(struct bus_pull *pull, const char *reply, uint64_t delay_ms);
/* It is still being worked on: starts its ack_wait anew. */
void bus_pull_extend(struct bus_pull *pull, const char *reply);
/* Asks for nothing more (drain); what is with the caller may still be ended. */
void bus_pull_stop(struct bus_pull *pull);
unsigned bus_pull_outstanding(const struct bus_pull *pull);

struct bus_consumer_info {
    uint64_t ack_floor;   /* everything of the stream up to this sequence is acknowledged */
    uint64_t delivered;   /* the last one that was delivered to anybody */
    uint64_t pending;     /* not delivered to anybody yet */
    uint64_t outstanding; /* delivered, not acknowledged */
};
typedef void bus_consumer_info_cb(void *context, enum bus_status status, const struct bus_consumer_info *info);
struct bus_request *bus_consumer_info(struct bus *bus, const char *stream, const char *consumer, uint32_t timeout_ms,
                                      bus_consumer_info_cb *callback, void *context);

/*
 * The last message of every subject that matches the filter, then done with a status. Uses one short-lived ordered
 * consumer: for start-up and partition take-over only, never per user or booking. Deleted keys are left out.
 */
typedef void bus_load_done_cb(void *context, enum bus_status status);
struct bus_load;
struct bus_load *bus_load_last(struct bus *bus, const char *stream, const char *filter_subject, bus_message_cb *on_item,
                               bus_load_done_cb *on_done, void *context);
/* Stops it; no callback comes after. Clears the pointer; NULL is allowed; must not be used after on_done. */
void bus_load_cancel(struct bus_load **load);

/* The i-th token of a subject ("booking.X.tracking", 1 -> "X") into a buffer; false if there is none or it is too long.
 */
MUST_CHECK bool bus_subject_token(const char *subject, unsigned index, char *buffer, size_t size);

struct bus_stats {
    uint64_t messages_in, messages_out, reconnects, dropped;
};
void bus_get_stats(const struct bus *bus, struct bus_stats *stats_r);

#endif
