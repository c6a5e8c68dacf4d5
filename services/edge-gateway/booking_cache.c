#include "booking_cache.h"

#include "base/clock.h"
#include "base/hashmap.h"
#include "proto/subjects.h"

#define LINGER_MS 5000
#define READ_TIMEOUT_MS 3000

struct booking_cache {
    struct bus *bus;
    struct timer_wheel *wheel;
    struct hashmap *entries;
    booking_changed_cb *on_change;
    void *context;
};

struct booking_cache *booking_cache_create(struct bus *bus, struct timer_wheel *wheel, booking_changed_cb *on_change,
                                           void *context)
{
    struct booking_cache *cache = mem_alloc(sizeof(*cache));
    cache->bus = bus;
    cache->wheel = wheel;
    cache->entries = hashmap_create();
    cache->on_change = on_change;
    cache->context = context;
    return cache;
}

static void entry_free(struct booking_entry *entry)
{
    timer_wheel_stop(entry->cache->wheel, &entry->linger);
    hashmap_remove(entry->cache->entries, entry->id);
    bus_request_cancel(&entry->request);
    bus_unsubscribe(&entry->subscription);
    hansom__booking__free_unpacked(entry->booking, NULL);
    mem_free(entry);
}

static void free_each(void *context, const char *key, void *value)
{
    (void)context;
    (void)key;
    entry_free(value);
}

void booking_cache_destroy(struct booking_cache **cache_pointer)
{
    struct booking_cache *cache = *cache_pointer;
    *cache_pointer = NULL;
    if (cache == NULL)
        return;
    hashmap_each(cache->entries, free_each, NULL);
    hashmap_destroy(&cache->entries);
    mem_free(cache);
}

/* Keeps the higher version, whatever order the read and the live change come in. */
static bool take(struct booking_entry *entry, const struct bus_message *message)
{
    Hansom__Booking *fresh = hansom__booking__unpack(NULL, message->length, message->data);
    if (fresh == NULL || (entry->booking != NULL && fresh->version < entry->booking->version)) {
        hansom__booking__free_unpacked(fresh, NULL);
        return false;
    }
    hansom__booking__free_unpacked(entry->booking, NULL);
    entry->booking = fresh;
    return true;
}

static void tell_waiters(struct booking_entry *entry, enum bus_status status)
{
    while (!list_is_empty(&entry->waiters)) {
        struct booking_waiter *waiter = CONTAINER_OF(entry->waiters.next, struct booking_waiter, node);
        list_remove(&waiter->node);
        waiter->callback(waiter->context, status, entry->booking);
    }
}

static void on_read(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct booking_entry *entry = context;
    entry->request = NULL;
    bool was_known = entry->is_known;
    bool is_changed = status == BUS_OK && take(entry, reply);
    /* What is not there may be made in the next moment and is asked for again. */
    entry->is_known = entry->booking != NULL;
    entry->references++; /* the callbacks may give up the last one */
    tell_waiters(entry, status);
    if (was_known && is_changed)
        entry->cache->on_change(entry->cache->context, entry);
    booking_release(&entry);
}

static void read_again(struct booking_entry *entry)
{
    if (entry->request == NULL)
        entry->request = bus_kv_get(entry->cache->bus, BUCKET_BOOKINGS, entry->id, READ_TIMEOUT_MS, on_read, entry);
}

static void on_live(void *context, const struct bus_message *message)
{
    struct booking_entry *entry = context;
    if (message->length == 0 || !take(entry, message))
        return;
    entry->is_known = true;
    entry->references++;
    tell_waiters(entry, BUS_OK);
    entry->cache->on_change(entry->cache->context, entry);
    booking_release(&entry);
}

struct booking_entry *booking_acquire(struct booking_cache *cache, const char *booking_id)
{
    struct booking_entry *entry = hashmap_get(cache->entries, booking_id);
    if (entry == NULL) {
        entry = mem_alloc(sizeof(*entry));
        entry->cache = cache;
        str_copy(entry->id, sizeof(entry->id), booking_id);
        list_init(&entry->waiters);
        list_init(&entry->dependents);
        hashmap_set(cache->entries, booking_id, entry);
        char subject[SUBJECT_SIZE];
        snprintf(subject, sizeof(subject), SUBJECT_KV_BOOKING, booking_id);
        entry->subscription = bus_subscribe(cache->bus, subject, NULL, on_live, entry);
    }
    timer_wheel_stop(cache->wheel, &entry->linger);
    entry->references++;
    return entry;
}

static void on_linger(struct wheel_timer *timer, void *context)
{
    (void)timer;
    entry_free(context);
}

void booking_release(struct booking_entry **entry_pointer)
{
    struct booking_entry *entry = *entry_pointer;
    *entry_pointer = NULL;
    if (entry == NULL || --entry->references > 0)
        return;
    timer_wheel_start(entry->cache->wheel, &entry->linger, clock_monotonic_ms() + LINGER_MS, on_linger, entry);
}

void booking_when_known(struct booking_entry *entry, struct booking_waiter *waiter, booking_known_cb *callback,
                        void *context)
{
    if (entry->is_known) {
        callback(context, BUS_OK, entry->booking);
        return;
    }
    waiter->callback = callback;
    waiter->context = context;
    list_append(&entry->waiters, &waiter->node);
    read_again(entry);
}

void booking_wait_cancel(struct booking_waiter *waiter)
{
    list_remove(&waiter->node);
}

static void refresh_each(void *context, const char *key, void *value)
{
    (void)context;
    (void)key;
    read_again(value);
}

void booking_cache_refresh(struct booking_cache *cache)
{
    hashmap_each(cache->entries, refresh_each, NULL);
}
