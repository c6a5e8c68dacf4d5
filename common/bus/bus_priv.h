#ifndef HANSOM_BUS_PRIV_H
#define HANSOM_BUS_PRIV_H
/* Shared by the files of this folder only. */
#include <nats/nats.h>
#include <stdatomic.h>

#include "base/heap.h"
#include "base/list.h"
#include "bus/bus.h"

/* What nats.c's threads put into the queue. */
enum bus_entry_kind { ENTRY_MESSAGE, ENTRY_SUBSCRIPTION_DONE, ENTRY_CONNECTED, ENTRY_DISCONNECTED };

struct bus_entry {
    enum bus_entry_kind kind;
    struct bus_subscription *subscription;
    natsMsg *message;
};

struct bus_queue {
    struct bus_entry *entries;
    size_t count, capacity;
};

struct bus_subscription {
    struct list_node node;
    struct bus *bus;
    natsSubscription *nats;
    bus_message_cb *callback;
    void *context;
    bool is_closed; /* loop thread; the struct lives until nats.c has delivered its last message */
};

/* Gets the raw message, whose headers say more than struct bus_message. message is NULL when status is not BUS_OK. */
typedef void bus_raw_reply_cb(struct bus_request *request, enum bus_status status, natsMsg *message);

struct bus_request {
    struct heap_node deadline; /* key: monotonic ms */
    struct bus *bus;
    uint32_t slot, generation;
    enum bus_status status_if_due; /* BUS_TIMEOUT, or why it could not even be sent */
    bus_raw_reply_cb *on_reply;
    union {
        bus_reply_cb *reply;
        bus_ack_cb *ack;
        bus_consumer_info_cb *info;
    } callback;
    void *context;
};

struct bus_slot {
    struct bus_request *request; /* NULL: free */
    uint32_t generation;
};

struct bus_topology;

struct bus {
    uv_loop_t *loop;
    uv_async_t wake;
    uv_timer_t request_timer;
    natsOptions *options;
    natsConnection *nats;
    int replicas;

    uv_mutex_t lock; /* over incoming, done_count and is_closed_by_nats; done_changed waits under it */
    uv_cond_t done_changed;
    struct bus_queue incoming;
    size_t unfinished_subscriptions;
    bool is_closed_by_nats;
    struct bus_queue draining; /* loop thread */

    struct list_node subscriptions;
    struct list_node loads;
    bool is_linked;    /* the TCP connection stands */
    bool is_connected; /* and the topology is checked */
    bool is_destroying;
    bus_state_cb *on_state;
    void *on_state_context;
    bus_batch_cb *on_batch_end;
    void *on_batch_end_context;

    char inbox_subject[64]; /* _INBOX.hansom.<random>.* */
    size_t inbox_prefix_length;
    struct bus_subscription *inbox;
    struct bus_slot *slots;
    uint32_t slot_count, slot_free_hint;
    struct heap deadlines;
    struct bus_topology *topology;
    struct bus_stats stats;
    uint32_t open_handles;
};

/* bus.c */
void bus_message_view(natsMsg *raw, struct bus_message *view_r);
uint64_t bus_header_uint(natsMsg *raw, const char *name);
/* Status header of an inline answer ("404"), 0 if there is none. */
int bus_header_status(natsMsg *raw);
void bus_set_connected(struct bus *bus);

/* What the reply subject of a message from a consumer says; zeros when it is none. */
struct bus_ack_subject {
    uint64_t delivered, stream_sequence, pending;
    int64_t stored_at_ms;
};
struct bus_ack_subject bus_ack_subject(const char *reply);

struct cJSON;
/* bus_jetstream.c: an answer of JetStream (cJSON_Delete); NULL: it is no JSON. */
struct cJSON *bus_json(natsMsg *message);
/* 0: it is not there, or no positive number. */
uint64_t bus_json_uint(const struct cJSON *object, const char *name);

/* bus_request.c */
void bus_requests_init(struct bus *bus);
void bus_requests_finish(struct bus *bus);
/* A message on the inbox; the caller destroys it. */
void bus_requests_on_reply(struct bus *bus, natsMsg *message);
/* The connection is gone: every request under way ends with BUS_DISCONNECTED on the next turn. */
void bus_requests_fail_all(struct bus *bus);
struct bus_header {
    const char *name, *value;
};
/* What goes out: up to two headers (name NULL: none). */
struct bus_outgoing {
    const char *subject;
    const void *data;
    size_t length;
    struct bus_header headers[2];
    bool before_topology; /* sent as soon as the connection stands, for the topology itself */
};
/* Sends with a reply subject of ours. The reply's natsMsg is valid during the callback. */
struct bus_request *bus_request_send(struct bus *bus, const struct bus_outgoing *outgoing, uint32_t timeout_ms,
                                     bus_raw_reply_cb *on_reply, void *context);

/* bus_topology.c: makes streams and buckets, then calls bus_set_connected. */
struct bus_topology *bus_topology_create(struct bus *bus);
void bus_topology_start(struct bus_topology *topology);
void bus_topology_stop(struct bus_topology *topology);
void bus_topology_destroy(struct bus_topology **topology);

/* bus_load.c */
void bus_loads_fail_all(struct bus *bus);

#endif
