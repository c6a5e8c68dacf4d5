/* A subject's history by direct gets: no consumer is made, whoever asks and however many do. (NATS ADR-31.) */
#include "bus/bus_priv.h"

#define GET_TIMEOUT_MS 3000
#define SUBJECT_MAX 192

struct bus_walk {
    struct bus *bus;
    struct bus_request *request;
    char stream[32], subject[SUBJECT_MAX];
    bus_walk_item_cb *on_item;
    bus_walk_done_cb *on_done;
    void *context;
};

static void ask(struct bus_walk *walk, uint64_t sequence);

static void end(struct bus_walk *walk, enum bus_status status)
{
    bus_walk_done_cb *on_done = walk->on_done;
    void *context = walk->context;
    mem_free(walk);
    on_done(context, status);
}

static void on_answer(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct bus_walk *walk = context;
    walk->request = NULL;
    if (status != BUS_OK)
        end(walk, status == BUS_NOT_FOUND ? BUS_OK : status);
    else if (walk->on_item(walk->context, reply))
        ask(walk, reply->sequence + 1);
    else
        mem_free(walk);
}

static void ask(struct bus_walk *walk, uint64_t sequence)
{
    walk->request = bus_get_next(walk->bus, walk->stream, walk->subject, sequence, GET_TIMEOUT_MS, on_answer, walk);
}

struct bus_walk *bus_walk_start(struct bus *bus, const char *stream, const char *subject, uint64_t from_sequence,
                                bus_walk_item_cb *on_item, bus_walk_done_cb *on_done, void *context)
{
    struct bus_walk *walk = mem_alloc(sizeof(*walk));
    walk->bus = bus;
    ASSERT(str_copy(walk->stream, sizeof(walk->stream), stream));
    ASSERT(str_copy(walk->subject, sizeof(walk->subject), subject));
    walk->on_item = on_item;
    walk->on_done = on_done;
    walk->context = context;
    ask(walk, from_sequence);
    return walk;
}

void bus_walk_cancel(struct bus_walk **walk_pointer)
{
    struct bus_walk *walk = *walk_pointer;
    *walk_pointer = NULL;
    if (walk == NULL)
        return;
    bus_request_cancel(&walk->request);
    mem_free(walk);
}
