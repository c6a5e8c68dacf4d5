#include "lease/lease.h"

#include <uv.h>

#include "base/clock.h"
#include "base/hashmap.h"
#include "base/ids.h"
#include "base/list.h"
#include "log/log.h"
#include "proto/subjects.h"

enum bucket_ttl_ms {
#define BUCKET(name, storage, ttl_ms) TTL_MS_##name = (ttl_ms),
#include "proto/streams.def"
};

#define TTL_MS TTL_MS_leases
#define RENEW_MS (TTL_MS / 4)
/* Without a renewal for this long the partition is given up, before the server forgets the lease. */
#define SAFE_MS (TTL_MS * 3 / 4)
#define TICK_MS 200
#define REQUEST_TIMEOUT_MS (TTL_MS / 4)
#define KEY_PREFIX "$KV." BUCKET_LEASES "."
#define STREAM_LEASES "KV_" BUCKET_LEASES

struct partition {
    struct lease_set *set;
    uint32_t number;
    bool is_held;
    bool is_taken;        /* by another instance, as far as is known */
    uint64_t revision;    /* held: of our last renewal; else of a lease that a former run of ours left, or 0 */
    uint64_t renewed_ms;  /* when the renewal that succeeded was sent */
    uint64_t sent_ms;     /* when the request under way was sent */
    uint64_t retry_at_ms; /* not held: no attempt before */
    struct bus_request *request;
};

struct member {
    struct list_node node;
    uint64_t seen_ms;
    char name[ID_SIZE];
};

struct lease_set {
    struct bus *bus;
    uv_loop_t *loop;
    char service[ID_SIZE], instance[ID_SIZE];
    lease_change_cb *callback;
    lease_settled_cb *on_settled; /* may be NULL */
    void *context;
    uv_timer_t tick;
    struct bus_subscription *followed, *freed;
    struct bus_load *load;
    struct list_node members; /* without ourselves */
    struct partition partitions[PARTITION_COUNT];
    struct bus_request *member_request;
    uint64_t member_sent_ms, member_revision;
    uint32_t held_count;
    bool is_loaded, is_releasing;
    bool is_settled, is_settling; /* settling: member_request is the one whose answer says so */
};

static void tick(struct lease_set *set);

static void sanitize(char *out, const char *name)
{
    str_copy(out, ID_SIZE, name);
    for (char *c = out; *c != '\0'; c++)
        if (!id_is_valid(c, 1))
            *c = '_';
}

static void partition_subject(const struct lease_set *set, uint32_t number, char *buffer)
{
    snprintf(buffer, SUBJECT_SIZE, KEY_PREFIX "%s.%u", set->service, number);
}

/* --- holding ------------------------------------------------------------------------------------------------------ */

static void set_held(struct partition *partition, bool is_held)
{
    struct lease_set *set = partition->set;
    if (partition->is_held == is_held)
        return;
    partition->is_held = is_held;
    partition->is_taken = false;
    set->held_count += is_held ? 1 : -1u;
    set->callback(set->context, partition->number, is_held);
}

static void set_settled(struct lease_set *set, bool is_settled)
{
    if (set->is_settled == is_settled)
        return;
    set->is_settled = is_settled;
    if (set->on_settled != NULL)
        set->on_settled(set->context, is_settled);
}

/* Nobody has it until we or another ask for it. */
static void lose(struct partition *partition, const char *why)
{
    LOG_WARN("lease_lost", LOG_INT("partition", partition->number), LOG_STR("why", why));
    partition->revision = 0;
    partition->retry_at_ms = clock_monotonic_ms() + TTL_MS / 2;
    set_held(partition, false);
    set_settled(partition->set, false);
}

static void on_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct partition *partition = context;
    partition->request = NULL;
    if (status == BUS_OK) {
        partition->revision = ack->sequence;
        partition->renewed_ms = partition->sent_ms;
        set_held(partition, true);
    } else if (status == BUS_CONFLICT && partition->is_held) {
        lose(partition, "conflict");
    } else if (!partition->is_held) {
        partition->revision = 0;
        partition->retry_at_ms = partition->sent_ms + TTL_MS / 4;
    }
}

static void store(struct partition *partition, uint64_t now_ms)
{
    struct lease_set *set = partition->set;
    char subject[SUBJECT_SIZE];
    partition_subject(set, partition->number, subject);
    partition->sent_ms = now_ms;
    partition->request = bus_store(set->bus, subject, NULL, partition->revision, set->instance, strlen(set->instance),
                                   REQUEST_TIMEOUT_MS, on_stored, partition);
}

static void note_freed(struct lease_set *set, uint32_t number)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), "lease.freed.%s.%u", set->service, number);
    bus_publish(set->bus, subject, "", 0);
}

static void on_deleted(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct partition *partition = context;
    (void)reply;
    partition->request = NULL;
    if (status == BUS_OK)
        note_freed(partition->set, partition->number);
}

static void give_back(struct partition *partition, uint64_t now_ms)
{
    struct lease_set *set = partition->set;
    uint64_t revision = partition->revision;
    bus_request_cancel(&partition->request);
    partition->revision = 0;
    partition->retry_at_ms = now_ms + TTL_MS;
    set_held(partition, false);
    partition->request =
        bus_delete_sequence(set->bus, STREAM_LEASES, revision, REQUEST_TIMEOUT_MS, on_deleted, partition);
}

/* --- members ------------------------------------------------------------------------------------------------------ */

static void member_seen(struct lease_set *set, const char *name, uint64_t now_ms)
{
    if (str_equal(name, set->instance))
        return;
    LIST_EACH(&set->members, node)
    {
        struct member *member = CONTAINER_OF(node, struct member, node);
        if (str_equal(member->name, name)) {
            member->seen_ms = now_ms;
            return;
        }
    }
    struct member *member = mem_alloc(sizeof(*member));
    str_copy(member->name, sizeof(member->name), name);
    member->seen_ms = now_ms;
    list_append(&set->members, &member->node);
    LOG_INFO("lease_member_joined", LOG_STR("member", name));
}

static uint32_t members_alive(struct lease_set *set, uint64_t now_ms)
{
    uint32_t count = 1;
    LIST_EACH_SAFE(&set->members, node, following)
    {
        struct member *member = CONTAINER_OF(node, struct member, node);
        if (now_ms - member->seen_ms <= TTL_MS) {
            count++;
            continue;
        }
        LOG_INFO("lease_member_gone", LOG_STR("member", member->name));
        list_remove(&member->node);
        mem_free(member);
    }
    return count;
}

static bool is_complete(const struct lease_set *set)
{
    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        if (!set->partitions[i].is_held && !set->partitions[i].is_taken)
            return false;
    return true;
}

static void on_member_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct lease_set *set = context;
    bool was_settling = set->is_settling;
    set->member_request = NULL;
    set->is_settling = false;
    if (status != BUS_OK)
        return;
    set->member_revision = ack->sequence;
    if (was_settling && set->is_loaded && is_complete(set))
        set_settled(set, true);
}

static void on_member_deleted(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct lease_set *set = context;
    (void)status; /* the TTL ends it otherwise */
    (void)reply;
    set->member_request = NULL;
}

static void announce_self(struct lease_set *set, uint64_t now_ms)
{
    if (set->member_request != NULL || (set->member_sent_ms != 0 && now_ms - set->member_sent_ms < RENEW_MS))
        return;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), KEY_PREFIX "%s.member.%s", set->service, set->instance);
    set->member_sent_ms = now_ms;
    set->member_request =
        bus_store(set->bus, subject, NULL, BUS_ANY_REVISION, "alive", 5, REQUEST_TIMEOUT_MS, on_member_stored, set);
}

/* The bus answers this behind the subscriptions that were made for what is held. */
static void settle(struct lease_set *set, uint64_t now_ms)
{
    if (set->is_settled || set->member_request != NULL || !is_complete(set))
        return;
    set->member_sent_ms = 0;
    set->is_settling = true;
    announce_self(set, now_ms);
}

/* --- what others do ----------------------------------------------------------------------------------------------- */

static void owner_seen(struct lease_set *set, uint32_t number, const char *owner, uint64_t revision, uint64_t now_ms)
{
    struct partition *partition = &set->partitions[number];
    if (str_equal(owner, set->instance)) {
        if (!partition->is_held && revision != 0)
            partition->revision = revision;
        return;
    }
    member_seen(set, owner, now_ms);
    if (partition->is_held)
        lose(partition, "taken");
    partition->is_taken = true;
    partition->revision = 0;
    partition->retry_at_ms = now_ms + TTL_MS;
}

/* "$KV.leases.<service>.<p>" or "$KV.leases.<service>.member.<instance>" */
static void on_key(void *context, const struct bus_message *message)
{
    struct lease_set *set = context;
    uint64_t now_ms = clock_monotonic_ms();
    char token[ID_SIZE], owner[ID_SIZE];
    if (!bus_subject_token(message->subject, 3, token, sizeof(token)))
        return;
    if (str_equal(token, "member")) {
        if (bus_subject_token(message->subject, 4, owner, sizeof(owner)))
            member_seen(set, owner, now_ms);
        return;
    }
    char *end = NULL;
    unsigned long number = strtoul(token, &end, 10);
    if (*end != '\0' || number >= PARTITION_COUNT || message->length == 0 || message->length >= sizeof(owner))
        return;
    memcpy(owner, message->data, message->length);
    owner[message->length] = '\0';
    owner_seen(set, (uint32_t)number, owner, message->sequence, now_ms);
}

static void on_freed(void *context, const struct bus_message *message)
{
    struct lease_set *set = context;
    char token[16];
    if (!bus_subject_token(message->subject, 3, token, sizeof(token)))
        return;
    unsigned long number = strtoul(token, NULL, 10);
    if (number < PARTITION_COUNT && !set->partitions[number].is_held && set->partitions[number].request == NULL) {
        set->partitions[number].retry_at_ms = 0;
        tick(set);
    }
}

static void on_loaded(void *context, enum bus_status status)
{
    struct lease_set *set = context;
    set->load = NULL;
    set->is_loaded = status == BUS_OK;
    if (set->is_loaded)
        tick(set);
}

/* --- the tick ----------------------------------------------------------------------------------------------------- */

static void drop_stale(struct lease_set *set, uint64_t now_ms)
{
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        struct partition *partition = &set->partitions[i];
        if (partition->is_held && now_ms - partition->renewed_ms > SAFE_MS)
            lose(partition, "not_renewed");
    }
}

static void renew(struct lease_set *set, uint64_t now_ms)
{
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        struct partition *partition = &set->partitions[i];
        if (partition->is_held && partition->request == NULL && now_ms - partition->sent_ms >= RENEW_MS)
            store(partition, now_ms);
    }
}

/* Starts at a place of its own, so that instances that begin together do not all ask for the same partition. */
static void acquire(struct lease_set *set, uint32_t share, uint64_t now_ms)
{
    uint32_t wanted = set->held_count;
    uint32_t start = (uint32_t)(hash_fnv1a64(set->instance, strlen(set->instance)) % PARTITION_COUNT);
    for (uint32_t i = 0; i < PARTITION_COUNT && wanted < share; i++) {
        struct partition *partition = &set->partitions[(start + i) % PARTITION_COUNT];
        if (partition->is_held)
            continue;
        if (partition->request == NULL && now_ms >= partition->retry_at_ms)
            store(partition, now_ms);
        wanted += partition->request != NULL;
    }
}

static void release_surplus(struct lease_set *set, uint32_t share, uint64_t now_ms)
{
    for (uint32_t i = 0; i < PARTITION_COUNT && set->held_count > share; i++)
        if (set->partitions[i].is_held)
            give_back(&set->partitions[i], now_ms);
}

static void tick(struct lease_set *set)
{
    uint64_t now_ms = clock_monotonic_ms();
    drop_stale(set, now_ms);
    if (!bus_is_connected(set->bus) || set->is_releasing)
        return;
    if (!set->is_loaded) {
        if (set->load == NULL)
            lease_set_bus_state(set, BUS_CONNECTED);
        return;
    }
    announce_self(set, now_ms);
    uint32_t members = members_alive(set, now_ms);
    uint32_t share = (PARTITION_COUNT + members - 1) / members;
    renew(set, now_ms);
    acquire(set, share, now_ms);
    release_surplus(set, share, now_ms);
    settle(set, now_ms);
}

static void on_tick(uv_timer_t *timer)
{
    tick(timer->data);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct lease_set *lease_set_create(struct bus *bus, uv_loop_t *loop, const char *service, const char *instance,
                                   lease_change_cb *callback, void *context)
{
    struct lease_set *set = mem_alloc(sizeof(*set));
    set->bus = bus;
    set->loop = loop;
    sanitize(set->service, service);
    sanitize(set->instance, instance);
    set->callback = callback;
    set->context = context;
    list_init(&set->members);
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        set->partitions[i].set = set;
        set->partitions[i].number = i;
    }
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), KEY_PREFIX "%s.>", set->service);
    set->followed = bus_subscribe(bus, subject, NULL, on_key, set);
    snprintf(subject, sizeof(subject), "lease.freed.%s.*", set->service);
    set->freed = bus_subscribe(bus, subject, NULL, on_freed, set);
    uv_timer_init(loop, &set->tick);
    set->tick.data = set;
    uv_timer_start(&set->tick, on_tick, TICK_MS, TICK_MS);
    return set;
}

void lease_set_bus_state(struct lease_set *set, enum bus_state state)
{
    bus_load_cancel(&set->load);
    set->is_loaded = set->is_settling = false;
    set->member_sent_ms = 0;
    set_settled(set, false);
    if (state != BUS_CONNECTED || set->is_releasing)
        return;
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), KEY_PREFIX "%s.>", set->service);
    set->load = bus_load_last(set->bus, STREAM_LEASES, subject, on_key, on_loaded, set);
}

void lease_set_release_all(struct lease_set *set)
{
    set->is_releasing = true;
    uint64_t now_ms = clock_monotonic_ms();
    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        if (set->partitions[i].is_held)
            give_back(&set->partitions[i], now_ms);
        else
            bus_request_cancel(&set->partitions[i].request);
    bus_request_cancel(&set->member_request);
    if (set->member_revision != 0)
        set->member_request = bus_delete_sequence(set->bus, STREAM_LEASES, set->member_revision, REQUEST_TIMEOUT_MS,
                                                  on_member_deleted, set);
    set->member_revision = 0;
}

static void on_tick_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void lease_set_destroy(struct lease_set **set_pointer)
{
    struct lease_set *set = *set_pointer;
    *set_pointer = NULL;
    if (set == NULL)
        return;
    if (!set->is_releasing)
        lease_set_release_all(set);
    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        bus_request_cancel(&set->partitions[i].request);
    bus_request_cancel(&set->member_request);
    bus_load_cancel(&set->load);
    bus_unsubscribe(&set->followed);
    bus_unsubscribe(&set->freed);
    LIST_EACH_SAFE(&set->members, node, following)
    mem_free(CONTAINER_OF(node, struct member, node));
    uv_close((uv_handle_t *)&set->tick, on_tick_closed);
}

bool lease_set_holds(const struct lease_set *set, uint32_t partition)
{
    ASSERT(partition < PARTITION_COUNT);
    return set->partitions[partition].is_held;
}

void lease_set_on_settled(struct lease_set *set, lease_settled_cb *callback)
{
    set->on_settled = callback;
}

uint32_t lease_set_count(const struct lease_set *set)
{
    return set->held_count;
}
