/*
 * Pulling from a durable consumer: one request for a batch at a time, answered message by message on an inbox of our
 * own. A request ends when its batch is full or with a status message; a timer asks again when neither comes. (NATS
 * ADR-9, ADR-37.) With a pace the first message after a silence comes at once; what follows is taken together (no_wait)
 * a pace later, and so on until nothing is found.
 */
#include "bus/bus_priv.h"

#include "base/ids.h"
#include "log/log.h"

#define EXPIRES_MS 5000
#define SILENCE_MS (EXPIRES_MS + 2000)
#define REQUEST_SIZE 96
#define PAUSE_MS 250 /* after a refused request, so that a broken consumer is not asked in a circle */

struct bus_pull {
    struct bus *bus;
    char request_subject[160], inbox_prefix[80];
    struct bus_subscription *inbox;
    uv_timer_t timer;
    unsigned max_outstanding, outstanding;
    uint64_t pace_ms;            /* 0: messages come as soon as they are there */
    unsigned asked;              /* messages that the request under way may still bring; 0: there is none */
    bool has_found;              /* a message, by that request */
    uint32_t generation;         /* of the request under way; its end is told by its number, its messages carry none */
    bool is_flowing, is_pausing; /* with a pace: there were messages lately; the pace is being waited for */
    bool is_stopped;
    bus_pulled_cb *callback;
    void *context;
};

static void on_timer(uv_timer_t *timer);

/* Not for a few: while the caller has most of what it may have, it has enough to do. */
static unsigned free_places(const struct bus_pull *pull)
{
    unsigned places = pull->outstanding < pull->max_outstanding ? pull->max_outstanding - pull->outstanding : 0;
    return places >= (pull->max_outstanding + 3) / 4 ? places : 0;
}

static int write_request(const struct bus_pull *pull, char body[REQUEST_SIZE], unsigned batch)
{
    if (pull->pace_ms > 0 && pull->is_flowing)
        return snprintf(body, REQUEST_SIZE, "{\"batch\":%u,\"no_wait\":true}", batch);
    return snprintf(body, REQUEST_SIZE, "{\"batch\":%u,\"expires\":%llu}", batch, EXPIRES_MS * 1000000ull);
}

static void ask(struct bus_pull *pull)
{
    unsigned places = free_places(pull), batch = pull->pace_ms > 0 && !pull->is_flowing && places > 0 ? 1 : places;
    if (pull->asked > 0 || pull->is_pausing || pull->is_stopped || batch == 0 || !bus_is_connected(pull->bus))
        return;
    char body[REQUEST_SIZE], reply[96];
    int length = write_request(pull, body, batch);
    snprintf(reply, sizeof(reply), "%s.%x", pull->inbox_prefix, ++pull->generation);
    if (natsConnection_PublishRequest(pull->bus->nats, pull->request_subject, reply, body, length) == NATS_OK)
        pull->asked = batch;
    pull->has_found = false;
    uv_timer_start(&pull->timer, on_timer, pull->asked > 0 ? SILENCE_MS : PAUSE_MS, 0);
}

/* Nothing came: the request, or its end, was lost. */
static void on_timer(uv_timer_t *timer)
{
    struct bus_pull *pull = timer->data;
    pull->asked = 0;
    pull->is_pausing = false;
    ask(pull);
}

static bool is_of_this_request(const struct bus_pull *pull, const struct bus_message *message)
{
    const char *token = strrchr(message->subject, '.');
    return token != NULL && strtoul(token + 1, NULL, 16) == pull->generation;
}

static void pause_for_pace(struct bus_pull *pull)
{
    pull->is_flowing = pull->is_pausing = true;
    uv_timer_start(&pull->timer, on_timer, pull->pace_ms, 0);
}

/* 404 and 408 end a request that found nothing (more); anything else is a refusal. */
static void on_request_over(struct bus_pull *pull, const struct bus_message *status_message)
{
    if (!is_of_this_request(pull, status_message))
        return;
    pull->asked = 0;
    if (pull->is_flowing && pull->has_found) {
        pause_for_pace(pull);
    } else {
        pull->is_flowing = false;
        uv_timer_start(&pull->timer, on_timer, PAUSE_MS / 10, 0);
    }
}

static void take(struct bus_pull *pull, const struct bus_message *message)
{
    struct bus_ack_subject ack = bus_ack_subject(message->reply);
    struct bus_pulled pulled = {.message = *message, .delivered = ack.delivered, .pending = ack.pending};
    pulled.message.sequence = ack.stream_sequence;
    pulled.message.stored_at_ms = ack.stored_at_ms;
    if (pull->asked > 0)
        pull->asked--;
    pull->has_found = true;
    if (pull->asked == 0 && pull->pace_ms > 0 && !pull->is_flowing)
        pause_for_pace(pull); /* before the caller acknowledges, which asks for more */
    pull->outstanding++;
    pull->callback(pull->context, &pulled);
}

static void on_message(void *context, const struct bus_message *message)
{
    struct bus_pull *pull = context;
    if (message->reply == NULL) {
        on_request_over(pull, message);
        return;
    }
    take(pull, message);
    if (pull->asked == 0)
        ask(pull);
    else
        uv_timer_start(&pull->timer, on_timer, SILENCE_MS, 0);
}

struct bus_pull *bus_pull_create(struct bus *bus, const char *stream, const char *consumer, unsigned max_outstanding,
                                 bus_pulled_cb *callback, void *context)
{
    struct bus_pull *pull = mem_alloc(sizeof(*pull));
    pull->bus = bus;
    pull->max_outstanding = max_outstanding;
    pull->callback = callback;
    pull->context = context;
    uv_timer_init(bus->loop, &pull->timer);
    pull->timer.data = pull;
    char unique[UUID_SIZE], inbox[96];
    uuid_generate(unique);
    snprintf(pull->request_subject, sizeof(pull->request_subject), "$JS.API.CONSUMER.MSG.NEXT.%s.%s", stream, consumer);
    snprintf(pull->inbox_prefix, sizeof(pull->inbox_prefix), "_INBOX.hansom.pull.%s", unique);
    snprintf(inbox, sizeof(inbox), "%s.*", pull->inbox_prefix);
    pull->inbox = bus_subscribe(bus, inbox, NULL, on_message, pull);
    ask(pull);
    return pull;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void bus_pull_destroy(struct bus_pull **pull_pointer)
{
    struct bus_pull *pull = *pull_pointer;
    *pull_pointer = NULL;
    if (pull == NULL)
        return;
    bus_unsubscribe(&pull->inbox);
    uv_close((uv_handle_t *)&pull->timer, on_closed);
}

void bus_pull_bus_state(struct bus_pull *pull, enum bus_state state)
{
    pull->asked = 0;
    pull->is_flowing = pull->is_pausing = false;
    uv_timer_stop(&pull->timer);
    if (state == BUS_CONNECTED)
        ask(pull);
}

static void answer(struct bus_pull *pull, const char *reply, const char *word)
{
    if (!bus_publish(pull->bus, reply, word, strlen(word)))
        LOG_DEBUG("ack_not_sent");
}

static void one_less(struct bus_pull *pull)
{
    ASSERT(pull->outstanding > 0);
    pull->outstanding--;
    ask(pull);
}

void bus_pull_ack(struct bus_pull *pull, const char *reply)
{
    answer(pull, reply, "+ACK");
    one_less(pull);
}

void bus_pull_retry(struct bus_pull *pull, const char *reply, uint64_t delay_ms)
{
    char word[64];
    snprintf(word, sizeof(word), "-NAK {\"delay\":%llu}", (unsigned long long)delay_ms * 1000000ull);
    answer(pull, reply, word);
    one_less(pull);
}

void bus_pull_extend(struct bus_pull *pull, const char *reply)
{
    answer(pull, reply, "+WPI");
}

void bus_pull_set_pace(struct bus_pull *pull, uint64_t pace_ms)
{
    pull->pace_ms = pace_ms;
}

void bus_pull_stop(struct bus_pull *pull)
{
    pull->is_stopped = true;
}

unsigned bus_pull_outstanding(const struct bus_pull *pull)
{
    return pull->outstanding;
}
