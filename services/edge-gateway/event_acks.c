#include "event_acks.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "hub.h"
#include "log/log.h"
#include "proto/subjects.h"

#define RETRY_BASE_MS 200
#define RETRY_CAP_MS 10000
#define LEFT_TRIES_MAX 20 /* of one whose session has ended, while the bus is there */
#define LEFT_MAX 10000
#define STREAM "EVENTS"

struct event_ack {
    struct list_node node; /* of `held` or `left` */
    struct event_acks *acks;
    struct session *session; /* NULL: it has ended */
    char user_id[ID_SIZE];
    uint32_t id; /* of the frame that named `wanted` */
    uint64_t epoch, wanted, stored;
    uint64_t asked; /* what the request under way is about */
    struct bus_request *request;
    struct wheel_timer retry;
    uint32_t tries;
};

struct event_acks {
    struct gateway *gateway;
    struct list_node held, left; /* of sessions; of those that have ended, oldest first */
    size_t left_count;
};

static void try_now(struct event_ack *ack);

static void count(const struct event_ack *ack, enum event_ack_outcome outcome)
{
    metrics_add(ack->acks->gateway->metrics, METRIC_GATEWAY_EVENT_ACKS, outcome, 0, 1);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct event_acks *event_acks_create(struct gateway *gateway)
{
    struct event_acks *acks = mem_alloc(sizeof(*acks));
    acks->gateway = gateway;
    list_init(&acks->held);
    list_init(&acks->left);
    return acks;
}

static void ack_free(struct event_ack *ack)
{
    if (ack->session == NULL)
        ack->acks->left_count--;
    list_remove(&ack->node);
    bus_request_cancel(&ack->request);
    timer_wheel_stop(ack->acks->gateway->wheel, &ack->retry);
    mem_free(ack);
}

void event_acks_destroy(struct event_acks **acks_pointer)
{
    struct event_acks *acks = *acks_pointer;
    *acks_pointer = NULL;
    if (acks == NULL)
        return;
    ASSERT(list_is_empty(&acks->held));
    while (!list_is_empty(&acks->left))
        ack_free(CONTAINER_OF(acks->left.next, struct event_ack, node));
    mem_free(acks);
}

static struct event_ack *ack_create(struct session *session)
{
    struct event_ack *ack = mem_alloc(sizeof(*ack));
    ack->acks = session->gateway->event_acks;
    ack->session = session;
    str_copy(ack->user_id, sizeof(ack->user_id), session->principal->user_id);
    list_append(&ack->acks->held, &ack->node);
    session->event_ack = ack;
    return ack;
}

static void give_up(struct event_ack *ack, const char *why)
{
    LOG_WARN("event_ack_given_up", LOG_STR("user", ack->user_id), LOG_INT("seq", ack->wanted), LOG_STR("why", why));
    count(ack, EVENT_ACK_DROPPED);
    ack->wanted = ack->stored;
    if (ack->session == NULL)
        ack_free(ack);
}

void event_ack_leave(struct session *session)
{
    struct event_ack *ack = session->event_ack;
    session->event_ack = NULL;
    if (ack == NULL)
        return;
    struct event_acks *acks = ack->acks;
    ack->session = NULL;
    list_remove(&ack->node);
    list_append(&acks->left, &ack->node);
    acks->left_count++;
    if (ack->wanted <= ack->stored)
        ack_free(ack);
    else if (acks->left_count > LEFT_MAX)
        give_up(CONTAINER_OF(acks->left.next, struct event_ack, node), "too many");
}

/* --- the way ------------------------------------------------------------------------------------------------------ */

static void go_on(struct event_ack *ack)
{
    ack->tries = 0;
    if (ack->wanted > ack->stored)
        try_now(ack);
    else if (ack->session == NULL)
        ack_free(ack);
}

static void on_retry(struct wheel_timer *timer, void *context)
{
    (void)timer;
    try_now(context);
}

/* While the bus is away nothing is tried; event_acks_resume does. */
static void try_later(struct event_ack *ack)
{
    struct gateway *gateway = ack->acks->gateway;
    count(ack, EVENT_ACK_RETRIED);
    if (!bus_is_connected(gateway->bus))
        return;
    if (++ack->tries > LEFT_TRIES_MAX && ack->session == NULL)
        give_up(ack, "not stored");
    else
        timer_wheel_start(gateway->wheel, &ack->retry,
                          clock_monotonic_ms() + 1 + backoff_full_jitter_ms(ack->tries, RETRY_BASE_MS, RETRY_CAP_MS),
                          on_retry, ack);
}

static void on_stored(void *context, enum bus_status status, const struct bus_ack *stored)
{
    struct event_ack *ack = context;
    (void)stored;
    ack->request = NULL;
    if (status != BUS_OK) {
        try_later(ack);
        return;
    }
    count(ack, EVENT_ACK_STORED);
    ack->stored = ack->asked;
    go_on(ack);
}

static void store(struct event_ack *ack)
{
    ack->request = event_ack_store(ack->acks->gateway->bus, ack->user_id, ack->epoch, ack->asked, on_stored, ack);
}

/* Nothing of the ack is touched after the error: it may close the session. */
static void refuse(struct event_ack *ack)
{
    struct session *session = ack->session;
    uint32_t id = ack->id;
    count(ack, EVENT_ACK_REFUSED);
    if (ack->wanted == ack->asked)
        ack->wanted = ack->stored;
    go_on(ack);
    if (session != NULL)
        session_send_error(session, id, ERROR_bad_request, "seq: is above the last event", 0);
}

static void on_last(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct event_ack *ack = context;
    ack->request = NULL;
    uint64_t last = status == BUS_OK ? reply->sequence : 0;
    if (status != BUS_OK && status != BUS_NOT_FOUND)
        try_later(ack);
    else if (ack->asked > last)
        refuse(ack);
    else
        store(ack);
}

/* What has come by on the channel need not be asked for. */
static uint64_t known_position(const struct event_ack *ack)
{
    char channel[CHANNEL_NAME_SIZE];
    snprintf(channel, sizeof(channel), SUBJECT_EVENTS, ack->user_id);
    const struct subscription *subscription = ack->session == NULL ? NULL : subscription_find(ack->session, channel);
    return subscription == NULL ? 0 : subscription_position(subscription);
}

static void try_now(struct event_ack *ack)
{
    struct bus *bus = ack->acks->gateway->bus;
    timer_wheel_stop(ack->acks->gateway->wheel, &ack->retry);
    if (!bus_is_connected(bus))
        return;
    ack->asked = ack->wanted;
    if (ack->asked <= known_position(ack))
        store(ack);
    else
        ack->request = event_ack_get_last(bus, ack->user_id, on_last, ack);
}

static bool is_under_way(const struct event_ack *ack)
{
    return ack->request != NULL || timer_wheel_is_running(&ack->retry);
}

static void resume(struct event_acks *acks, struct list_node *list)
{
    uint64_t epoch = bus_stream_epoch(acks->gateway->bus, STREAM);
    LIST_EACH_SAFE(list, node, following)
    {
        struct event_ack *ack = CONTAINER_OF(node, struct event_ack, node);
        if (ack->wanted <= ack->stored || ack->request != NULL)
            continue;
        if (ack->epoch == epoch)
            try_now(ack);
        else
            give_up(ack, "another epoch");
    }
}

void event_acks_resume(struct event_acks *acks)
{
    resume(acks, &acks->held);
    resume(acks, &acks->left);
}

bool event_acks_are_idle(const struct event_acks *acks)
{
    return acks->left_count == 0 || !bus_is_connected(acks->gateway->bus);
}

void event_ack_note(struct session *session, uint32_t id, uint64_t sequence)
{
    struct event_ack *ack = session->event_ack != NULL ? session->event_ack : ack_create(session);
    uint64_t epoch = bus_stream_epoch(session->gateway->bus, STREAM);
    if (epoch != ack->epoch) {
        bus_request_cancel(&ack->request);
        ack->wanted = ack->stored = 0;
        ack->epoch = epoch;
    }
    if (sequence <= ack->wanted)
        return;
    ack->wanted = sequence;
    ack->id = id;
    if (!is_under_way(ack))
        try_now(ack);
}

/* --- the bus ------------------------------------------------------------------------------------------------------ */

struct bus_request *event_ack_store(struct bus *bus, const char *user_id, uint64_t epoch, uint64_t sequence,
                                    bus_ack_cb *callback, void *context)
{
    char subject[SUBJECT_SIZE], key[SUBJECT_SIZE];
    Hansom__EventAck message = HANSOM__EVENT_ACK__INIT;
    message.user_id = (char *)user_id;
    message.epoch = epoch;
    message.seq = sequence;
    message.at_ms = clock_wall_ms();
    snprintf(subject, sizeof(subject), SUBJECT_IN_ACK, user_id);
    snprintf(key, sizeof(key), "%s.%llx.%llu", user_id, (unsigned long long)epoch, (unsigned long long)sequence);
    struct strbuf bytes;
    strbuf_init(&bytes, 128);
    MESSAGE_PACK(&bytes, &message);
    struct bus_request *request = bus_store(bus, subject, key, BUS_ANY_REVISION, bytes.data, bytes.length,
                                            GATEWAY_REQUEST_TIMEOUT_MS, callback, context);
    strbuf_finish(&bytes);
    return request;
}

struct bus_request *event_ack_get_last(struct bus *bus, const char *user_id, bus_reply_cb *callback, void *context)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_EVENTS, user_id);
    return bus_get_last(bus, STREAM, subject, GATEWAY_REQUEST_TIMEOUT_MS, callback, context);
}
