#include "archive_floor.h"

#include "base/clock.h"

#define INTERVAL_MS 50 /* what is not below the floor is looked for in the stream, item by item */
#define TIMEOUT_MS 1000
#define SIGHTINGS 256

/* When this was asked for, the last item of the stream was not above `sequence`. */
struct sighting {
    uint64_t at_ms, sequence;
};

struct archive_floor {
    struct chat_store *store;
    struct bus_request *request;
    uv_timer_t timer;
    uint64_t epoch, asked_epoch, asked_ms, sequence, pending;
    struct sighting sightings[SIGHTINGS]; /* a ring, the oldest one at `next_sighting` */
    unsigned next_sighting;
    uint64_t complete_ms; /* what was stored before is below the floor; 0: not known */
};

static void forget_sightings(struct archive_floor *floor)
{
    memset(floor->sightings, 0, sizeof(floor->sightings));
    floor->complete_ms = 0;
}

/* While everything is delivered, the last one delivered is the last of the stream. */
static void note_sighting(struct archive_floor *floor, const struct bus_consumer_info *info)
{
    if (info->pending == 0) {
        floor->sightings[floor->next_sighting] = (struct sighting){floor->asked_ms, info->delivered};
        floor->next_sighting = (floor->next_sighting + 1) % SIGHTINGS;
    }
    for (size_t i = 0; i < SIGHTINGS; i++)
        if (floor->sightings[i].at_ms > floor->complete_ms && floor->sightings[i].sequence <= info->ack_floor)
            floor->complete_ms = floor->sightings[i].at_ms;
}

static void on_info(void *context, enum bus_status status, const struct bus_consumer_info *info)
{
    struct archive_floor *floor = context;
    floor->request = NULL;
    if (status != BUS_OK)
        return;
    if (floor->epoch != floor->asked_epoch)
        forget_sightings(floor);
    note_sighting(floor, info);
    floor->epoch = floor->asked_epoch;
    floor->sequence = info->ack_floor;
    service_set_condition(floor->store->service, "archive_position", true);
    floor->pending = info->pending + info->outstanding;
    metrics_gauge_set(floor->store->metrics, METRIC_CHAT_PENDING, 0, 0, (int64_t)floor->pending);
}

static void on_timer(uv_timer_t *timer)
{
    struct archive_floor *floor = timer->data;
    if (floor->request != NULL || !bus_is_connected(floor->store->bus))
        return;
    floor->asked_ms = clock_monotonic_ms();
    floor->asked_epoch = bus_stream_epoch(floor->store->bus, STREAM_CHAT);
    floor->request = bus_consumer_info(floor->store->bus, STREAM_CHAT, CONSUMER_ARCHIVE, TIMEOUT_MS, on_info, floor);
}

struct archive_floor *archive_floor_create(struct chat_store *store)
{
    struct archive_floor *floor = mem_alloc(sizeof(*floor));
    floor->store = store;
    uv_timer_init(service_loop(store->service), &floor->timer);
    floor->timer.data = floor;
    service_set_condition(store->service, "archive_position", false);
    uv_timer_start(&floor->timer, on_timer, 0, INTERVAL_MS);
    return floor;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void archive_floor_destroy(struct archive_floor **floor_pointer)
{
    struct archive_floor *floor = *floor_pointer;
    *floor_pointer = NULL;
    if (floor == NULL)
        return;
    bus_request_cancel(&floor->request);
    uv_close((uv_handle_t *)&floor->timer, on_closed);
}

Hansom__ArchivedUpTo archive_floor_get(const struct archive_floor *floor)
{
    Hansom__ArchivedUpTo up_to = HANSOM__ARCHIVED_UP_TO__INIT;
    up_to.epoch = floor->epoch;
    up_to.seq = floor->sequence;
    if (floor->complete_ms > 0)
        up_to.age_ms = clock_monotonic_ms() - floor->complete_ms + 1;
    return up_to;
}

bool archive_floor_is_caught_up(const struct archive_floor *floor)
{
    return floor->epoch > 0 && floor->pending == 0;
}
