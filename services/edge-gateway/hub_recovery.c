/*
 * Continuity of a channel with a history. Live items carry the sequence of the one before them; where that has not been
 * seen, what lies between is fetched from the stream and handed on first. So the subscribers of a gateway that was cut
 * off from NATS for a while, or to which NATS dropped something, need not do anything.
 */
#include "base/clock.h"
#include "hub_priv.h"
#include "log/log.h"

#define WAITING_MAX_BYTES 1048576
#define TRIES_MAX 6
#define RETRY_MS 50 /* times the try: a direct get may be answered by a replica that lags */

struct continuity {
    struct channel *channel;
    bool is_known;     /* position is the last item that was handed on, or read by a subscriber */
    uint64_t position; /* 0: the channel was empty */
    uint64_t epoch;
    struct bus_walk *walk;
    struct wheel_timer retry;
    unsigned tries;
    struct outbox waiting; /* live items that came while the walk goes on */
};

static void heal(struct continuity *continuity);

static struct gateway *gateway_of(const struct continuity *continuity)
{
    return continuity->channel->hub->gateway;
}

static uint64_t current_epoch(const struct continuity *continuity)
{
    return bus_stream_epoch(gateway_of(continuity)->bus, channel_history_stream(continuity->channel->name.kind));
}

struct continuity *continuity_create(struct channel *channel)
{
    struct continuity *continuity = mem_alloc(sizeof(*continuity));
    continuity->channel = channel;
    continuity->epoch = current_epoch(continuity);
    return continuity;
}

static void stop_healing(struct continuity *continuity)
{
    bus_walk_cancel(&continuity->walk);
    timer_wheel_stop(gateway_of(continuity)->wheel, &continuity->retry);
    continuity->tries = 0;
}

void continuity_destroy(struct continuity **continuity_pointer)
{
    struct continuity *continuity = *continuity_pointer;
    *continuity_pointer = NULL;
    if (continuity == NULL)
        return;
    stop_healing(continuity);
    outbox_finish(&continuity->waiting);
    mem_free(continuity);
}

static bool is_healing(const struct continuity *continuity)
{
    return continuity->walk != NULL || timer_wheel_is_running(&continuity->retry);
}

static void hand_on(struct continuity *continuity, struct frame *frame, const struct channel_item *item)
{
    continuity->is_known = true;
    continuity->position = frame->sequence;
    channel_offer(continuity->channel, frame, item);
}

/* What waits, as far as nothing is missing before it. */
static void hand_on_waiting(struct continuity *continuity)
{
    for (struct frame *frame; (frame = outbox_first(&continuity->waiting)) != NULL;) {
        if (frame->sequence > continuity->position && frame->previous > continuity->position)
            return;
        frame = outbox_pop(&continuity->waiting);
        if (frame->sequence > continuity->position)
            hand_on(continuity, frame, &(struct channel_item){.sequence = frame->sequence});
        frame_unref(&frame);
    }
}

/* Nobody can tell what is missing: the clients are to ask for themselves. */
static void give_up(struct continuity *continuity)
{
    struct channel *channel = continuity->channel;
    stop_healing(continuity);
    LOG_WARN("continuity_lost", LOG_STR("channel", channel->name.text), LOG_INT("position", continuity->position));
    metrics_add(gateway_of(continuity)->metrics, METRIC_GATEWAY_RESYNCS, channel->name.kind, 0, 1);
    LIST_EACH_SAFE(&channel->subscriptions, node, following)
    subscription_resync(CONTAINER_OF(node, struct subscription, in_channel), "gap");
    continuity->is_known = false;
    for (struct frame *frame; (frame = outbox_pop(&continuity->waiting)) != NULL;) {
        hand_on(continuity, frame, &(struct channel_item){.sequence = frame->sequence});
        frame_unref(&frame);
    }
}

/* --- fetching ----------------------------------------------------------------------------------------------------- */

static bool on_fetched(void *context, const struct bus_message *message)
{
    struct continuity *continuity = context;
    if (message->sequence <= continuity->position)
        return true;
    struct bus_message placed = *message;
    placed.last_sequence = continuity->position;
    struct channel_item item;
    struct frame *frame = channel_make_frame(continuity->channel, &placed, &item);
    if (frame != NULL)
        hand_on(continuity, frame, &item);
    frame_unref(&frame);
    continuity->position = message->sequence;
    metrics_add(gateway_of(continuity)->metrics, METRIC_GATEWAY_HEALED, continuity->channel->name.kind, 0, 1);
    hand_on_waiting(continuity);
    return true;
}

static void on_retry(struct wheel_timer *timer, void *context)
{
    (void)timer;
    heal(context);
}

static void on_fetched_all(void *context, enum bus_status status)
{
    struct continuity *continuity = context;
    continuity->walk = NULL;
    if (status == BUS_OK)
        hand_on_waiting(continuity);
    if (status == BUS_OK && continuity->waiting.count == 0) {
        continuity->tries = 0;
        return;
    }
    if (status == BUS_DISCONNECTED)
        return; /* the bus will be back, and then all of it is looked at again */
    if (++continuity->tries >= TRIES_MAX)
        give_up(continuity);
    else
        timer_wheel_start(gateway_of(continuity)->wheel, &continuity->retry,
                          clock_monotonic_ms() + RETRY_MS * continuity->tries, on_retry, continuity);
}

static void heal(struct continuity *continuity)
{
    struct channel *channel = continuity->channel;
    char subject[CHANNEL_SUBJECT_SIZE];
    channel_history_subject(&channel->name, subject);
    timer_wheel_stop(gateway_of(continuity)->wheel, &continuity->retry);
    continuity->walk = bus_walk_start(gateway_of(continuity)->bus, channel_history_stream(channel->name.kind), subject,
                                      continuity->position + 1, on_fetched, on_fetched_all, continuity);
}

/* --- live --------------------------------------------------------------------------------------------------------- */

void continuity_take(struct continuity *continuity, struct frame *frame, const struct channel_item *item)
{
    if (continuity->is_known && item->sequence <= continuity->position)
        return;
    bool misses_something = continuity->is_known && item->previous > continuity->position;
    if (!misses_something && !is_healing(continuity)) {
        hand_on(continuity, frame, item);
        return;
    }
    if (!outbox_push(&continuity->waiting, frame, WAITING_MAX_BYTES))
        give_up(continuity);
    else if (!is_healing(continuity))
        heal(continuity);
}

void continuity_note_position(struct continuity *continuity, uint64_t sequence)
{
    if (continuity->is_known)
        return;
    continuity->is_known = true;
    continuity->position = sequence;
}

uint64_t continuity_position(const struct continuity *continuity)
{
    return continuity->is_known ? continuity->position : 0;
}

void continuity_resume(struct continuity *continuity)
{
    uint64_t epoch = current_epoch(continuity);
    bool is_same = epoch == continuity->epoch || continuity->epoch == 0;
    continuity->epoch = epoch;
    stop_healing(continuity);
    if (!is_same) {
        outbox_finish(&continuity->waiting);
        give_up(continuity);
    } else if (continuity->is_known) {
        heal(continuity);
    }
}
