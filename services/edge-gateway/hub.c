#include "hub_priv.h"

#include "acl.h"
#include "base/clock.h"
#include "log/log.h"
#include "proto/subjects.h"

#define LINGER_MS 2000
#define VIEWERS_REPEAT_MS 10000
#define INTERVAL_MAX_MS 86400000 /* of a max_rate next to nothing */

struct hub *hub_create(struct gateway *gateway)
{
    struct hub *hub = mem_alloc(sizeof(*hub));
    hub->gateway = gateway;
    hub->channels = hashmap_create();
    strbuf_init(&hub->text, 512);
    return hub;
}

static void channel_free(struct channel *channel)
{
    struct hub *hub = channel->hub;
    ASSERT(list_is_empty(&channel->subscriptions));
    timer_wheel_stop(hub->gateway->wheel, &channel->linger);
    hashmap_remove(hub->channels, channel->name.text);
    continuity_destroy(&channel->continuity);
    bus_request_cancel(&channel->refresh);
    bus_unsubscribe(&channel->bus_subscription);
    mem_free(channel);
    metrics_gauge_set(hub->gateway->metrics, METRIC_GATEWAY_CHANNELS, 0, 0, (int64_t)hashmap_count(hub->channels));
}

static void free_each(void *context, const char *key, void *value)
{
    (void)context;
    (void)key;
    channel_free(value);
}

void hub_destroy(struct hub **hub_pointer)
{
    struct hub *hub = *hub_pointer;
    *hub_pointer = NULL;
    if (hub == NULL)
        return;
    hashmap_each(hub->channels, free_each, NULL);
    hashmap_destroy(&hub->channels);
    strbuf_finish(&hub->text);
    mem_free(hub);
}

size_t hub_channel_count(const struct hub *hub)
{
    return hashmap_count(hub->channels);
}

/* --- positions: slot, rate ---------------------------------------------------------------------------------------- */

static void drop_slot(struct subscription *subscription)
{
    frame_unref(&subscription->slot);
    heap_remove(&subscription->session->gateway->rate_deadlines, &subscription->deadline);
    list_remove(&subscription->in_slots);
}

static uint64_t allowed_at_ms(const struct subscription *subscription)
{
    if (!subscription->has_max_rate || subscription->sent_ms == 0)
        return 0;
    double interval_ms = 1000.0 / subscription->max_rate;
    return subscription->sent_ms + (interval_ms < INTERVAL_MAX_MS ? (uint64_t)interval_ms : INTERVAL_MAX_MS);
}

static void on_rate_timer(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;
    hub_run_rates(gateway->hub, clock_monotonic_ms());
}

static void arm_rate_timer(struct gateway *gateway, uint64_t now_ms)
{
    struct heap_node *first = heap_first(&gateway->rate_deadlines);
    if (first == NULL)
        return;
    uint64_t wait_ms = first->key > now_ms ? first->key - now_ms : 0;
    if (!uv_is_active((uv_handle_t *)&gateway->rate_timer) || uv_timer_get_due_in(&gateway->rate_timer) > wait_ms) {
        uv_update_time(gateway->loop);
        uv_timer_start(&gateway->rate_timer, on_rate_timer, wait_ms, 0);
    }
}

/* A position is in the slot: now, at its deadline, or when the rate is no longer 0. */
static void schedule_slot(struct subscription *subscription)
{
    struct gateway *gateway = subscription->session->gateway;
    bool is_paused = subscription->has_max_rate && subscription->max_rate == 0;
    if (subscription->slot == NULL || !subscription->is_replied || is_paused || list_is_linked(&subscription->in_slots))
        return;
    uint64_t allowed_ms = allowed_at_ms(subscription), now_ms = clock_monotonic_ms();
    if (allowed_ms > now_ms) {
        heap_update(&gateway->rate_deadlines, &subscription->deadline, allowed_ms);
        arm_rate_timer(gateway, now_ms);
        return;
    }
    heap_remove(&gateway->rate_deadlines, &subscription->deadline);
    list_append(&subscription->session->slots, &subscription->in_slots);
    session_mark_dirty(subscription->session);
}

void hub_run_rates(struct hub *hub, uint64_t now_ms)
{
    struct gateway *gateway = hub->gateway;
    for (struct heap_node *first; (first = heap_first(&gateway->rate_deadlines)) != NULL && first->key <= now_ms;) {
        heap_remove(&gateway->rate_deadlines, first);
        schedule_slot(CONTAINER_OF(first, struct subscription, deadline));
    }
    arm_rate_timer(gateway, now_ms);
}

static void offer_position(struct subscription *subscription, struct frame *frame, int64_t received_ms)
{
    if (subscription->slot != NULL)
        metrics_add(subscription->session->gateway->metrics, METRIC_GATEWAY_CONFLATED, 0, 0, 1);
    frame_unref(&subscription->slot);
    subscription->slot = frame_ref(frame);
    subscription->slot_received_ms = received_ms;
    schedule_slot(subscription);
}

static void send_slot(struct subscription *subscription)
{
    struct session *session = subscription->session;
    if (!outbox_push(&session->outbox, subscription->slot, SIZE_MAX))
        return;
    subscription->sent_ms = clock_monotonic_ms();
    double latency_s = (double)(clock_wall_ms() - subscription->slot_received_ms) / 1000.0;
    if (subscription->slot_received_ms > 0)
        metrics_observe(session->gateway->metrics, METRIC_GATEWAY_LATENCY, 0, 0, latency_s < 0 ? 0 : latency_s);
    drop_slot(subscription);
}

void subscriptions_take_slots(struct session *session)
{
    LIST_EACH_SAFE(&session->slots, node, following)
    send_slot(CONTAINER_OF(node, struct subscription, in_slots));
}

void subscription_set_rate(struct subscription *subscription, bool has_max_rate, double max_rate)
{
    subscription->has_max_rate = has_max_rate;
    subscription->max_rate = max_rate;
    heap_remove(&subscription->session->gateway->rate_deadlines, &subscription->deadline);
    list_remove(&subscription->in_slots);
    schedule_slot(subscription);
}

/* --- items in order ----------------------------------------------------------------------------------------------- */

static void offer_ordered(struct subscription *subscription, struct frame *frame)
{
    struct session *session = subscription->session;
    if (!subscription->is_replied) {
        if (!outbox_push(&subscription->held, frame, (size_t)session->gateway->settings->outbox_max_bytes))
            session_close(session, CLOSE_slow_consumer, 0);
        return;
    }
    /* A position that may go now goes before what comes after it; one held back is older news than this. */
    if (list_is_linked(&subscription->in_slots))
        send_slot(subscription);
    else if (subscription->slot != NULL)
        drop_slot(subscription);
    session_send_frame(session, frame);
}

bool subscription_has_news(const struct subscription *subscription)
{
    return subscription->slot != NULL || subscription->held.count > 0;
}

bool subscription_misses(const struct subscription *subscription, uint64_t sequence)
{
    const struct frame *first = outbox_first_stored(&subscription->held);
    return first != NULL && first->previous > sequence;
}

void subscription_replied(struct subscription *subscription, uint64_t sequence)
{
    struct session *session = subscription->session;
    subscription->is_replied = true;
    if (subscription->channel->continuity != NULL)
        continuity_note_position(subscription->channel->continuity, sequence);
    for (struct frame *frame; (frame = outbox_pop(&subscription->held)) != NULL;) {
        if (frame->sequence == 0 || frame->sequence > sequence)
            session_send_frame(session, frame);
        frame_unref(&frame);
        if (session->state >= SESSION_CLOSING)
            return; /* too slow: the subscription is gone with its session */
    }
    schedule_slot(subscription);
}

struct frame *channel_make_frame(struct channel *channel, const struct bus_message *message,
                                 struct channel_item *item_r)
{
    struct hub *hub = channel->hub;
    const char *stream = channel_history_stream(channel->name.kind);
    uint64_t epoch = stream == NULL ? 0 : bus_stream_epoch(hub->gateway->bus, stream);
    strbuf_clear(&hub->text);
    if (!channel_item_write(&hub->text, &channel->name, epoch, message, item_r)) {
        LOG_WARN("item_not_understood", LOG_STR("channel", channel->name.text));
        return NULL;
    }
    struct frame *frame = frame_create_expiring(hub->text.data, hub->text.length, &item_r->expiring);
    frame->sequence = item_r->sequence;
    frame->previous = item_r->previous;
    return frame;
}

void channel_offer(struct channel *channel, struct frame *frame, const struct channel_item *item)
{
    struct gateway *gateway = channel->hub->gateway;
    uint64_t count = 0;
    LIST_EACH_SAFE(&channel->subscriptions, node, following)
    {
        struct subscription *subscription = CONTAINER_OF(node, struct subscription, in_channel);
        if (str_equal(subscription->session->principal->user_id, item->not_for))
            continue;
        count++;
        if (item->is_position)
            offer_position(subscription, frame, item->received_ms);
        else
            offer_ordered(subscription, frame);
    }
    metrics_add(gateway->metrics, METRIC_GATEWAY_MESSAGES_OUT, channel->name.kind, 0, count);
    if (item->sequence > 0 && item->received_ms > 0 && count > 0) {
        int64_t took_ms = clock_wall_ms() - item->received_ms;
        metrics_observe(gateway->metrics, METRIC_GATEWAY_CHAT_DELIVERY, 0, 0, took_ms < 0 ? 0 : (double)took_ms / 1000);
    }
}

/* is_read_again: from the stream, which may still be behind what has come live. */
static void deliver(struct channel *channel, const struct bus_message *message, bool is_read_again)
{
    struct channel_item item;
    struct frame *frame = channel_make_frame(channel, message, &item);
    bool is_old = item.is_position && is_read_again && item.received_ms <= channel->newest_ms;
    if (frame == NULL || is_old) {
        frame_unref(&frame);
        return;
    }
    if (item.is_position && item.received_ms > channel->newest_ms)
        channel->newest_ms = item.received_ms;
    if (item.sequence > 0)
        continuity_take(channel->continuity, frame, &item);
    else
        channel_offer(channel, frame, &item);
    frame_unref(&frame);
}

static void on_item(void *context, const struct bus_message *message)
{
    deliver(context, message, false);
}

/* --- channels ----------------------------------------------------------------------------------------------------- */

static struct channel *channel_get(struct hub *hub, const struct channel_name *name)
{
    struct channel *channel = hashmap_get(hub->channels, name->text);
    if (channel == NULL) {
        channel = mem_alloc(sizeof(*channel));
        channel->hub = hub;
        channel->name = *name;
        list_init(&channel->subscriptions);
        hashmap_set(hub->channels, name->text, channel);
        if (channel_history_stream(name->kind) != NULL)
            channel->continuity = continuity_create(channel);
        channel->bus_subscription = bus_subscribe(hub->gateway->bus, name->text, NULL, on_item, channel);
        metrics_gauge_set(hub->gateway->metrics, METRIC_GATEWAY_CHANNELS, 0, 0, (int64_t)hashmap_count(hub->channels));
    }
    timer_wheel_stop(hub->gateway->wheel, &channel->linger);
    return channel;
}

static uint32_t count_viewers(const struct channel *channel)
{
    uint32_t count = 0;
    LIST_EACH(&channel->subscriptions, node)
    count += CONTAINER_OF(node, struct subscription, in_channel)->session->principal->role != HANSOM__ROLE__ROLE_DRIVER;
    return count;
}

static void tell_viewers(struct channel *channel, const char *driver_id, uint32_t viewers, uint64_t now_ms)
{
    struct gateway *gateway = channel->hub->gateway;
    Hansom__Viewers message = HANSOM__VIEWERS__INIT;
    message.driver_id = (char *)driver_id;
    message.booking_id = channel->name.id;
    message.gateway_id = gateway->id;
    message.count = viewers;
    struct strbuf bytes;
    strbuf_init(&bytes, 256);
    MESSAGE_PACK(&bytes, &message);
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_VIEWERS, partition_of(driver_id), driver_id);
    if (bus_publish(gateway->bus, subject, bytes.data, bytes.length)) {
        str_copy(channel->told_driver, sizeof(channel->told_driver), driver_id);
        channel->told_viewers = viewers;
        channel->told_ms = now_ms;
    }
    strbuf_finish(&bytes);
}

/* The driver of the channel's booking as far as a subscriber's entry knows it; "" if not. */
static const char *driver_of(const struct channel *channel)
{
    LIST_EACH(&channel->subscriptions, node)
    {
        const struct booking_entry *entry = CONTAINER_OF(node, struct subscription, in_channel)->booking;
        if (entry != NULL && entry->booking != NULL)
            return entry->booking->driver_id;
    }
    return channel->told_driver;
}

static void report_channel(void *context, const char *key, void *value)
{
    (void)key;
    struct channel *channel = value;
    uint64_t now_ms = *(const uint64_t *)context;
    if (channel->name.kind != CHANNEL_TRACKING)
        return;
    uint32_t viewers = count_viewers(channel);
    const char *driver_id = driver_of(channel);
    bool is_due = viewers != channel->told_viewers || !str_equal(driver_id, channel->told_driver) ||
                  (viewers > 0 && now_ms - channel->told_ms >= VIEWERS_REPEAT_MS);
    if (is_due && *driver_id != '\0')
        tell_viewers(channel, driver_id, viewers, now_ms);
}

void hub_report_viewers(struct hub *hub, uint64_t now_ms)
{
    hashmap_each(hub->channels, report_channel, &now_ms);
}

static void on_linger(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct channel *channel = context;
    uint64_t now_ms = clock_monotonic_ms();
    report_channel(&now_ms, NULL, channel);
    channel_free(channel);
}

static void on_refreshed(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct channel *channel = context;
    channel->refresh = NULL;
    if (status == BUS_OK)
        deliver(channel, reply, true);
}

static void refresh_channel(void *context, const char *key, void *value)
{
    struct hub *hub = context;
    (void)key;
    struct channel *channel = value;
    const char *stream = channel_retained_stream(channel->name.kind);
    if (channel->continuity != NULL)
        continuity_resume(channel->continuity);
    if (stream != NULL && channel->refresh == NULL && !list_is_empty(&channel->subscriptions))
        channel->refresh = bus_get_last(hub->gateway->bus, stream, channel->name.text, GATEWAY_REQUEST_TIMEOUT_MS,
                                        on_refreshed, channel);
}

void hub_refresh(struct hub *hub)
{
    hashmap_each(hub->channels, refresh_channel, hub);
}

/* --- subscriptions ------------------------------------------------------------------------------------------------ */

struct subscription *subscription_find(struct session *session, const char *channel)
{
    LIST_EACH(&session->subscriptions, node)
    {
        struct subscription *subscription = CONTAINER_OF(node, struct subscription, in_session);
        if (str_equal(subscription->name.text, channel))
            return subscription;
    }
    return NULL;
}

struct subscription *subscription_create(struct session *session, const struct channel_name *name)
{
    struct subscription *subscription = mem_alloc(sizeof(*subscription));
    subscription->session = session;
    subscription->name = *name;
    list_append(&session->subscriptions, &subscription->in_session);
    session->subscription_count++;
    return subscription;
}

void subscription_attach(struct subscription *subscription)
{
    struct gateway *gateway = subscription->session->gateway;
    subscription->channel = channel_get(gateway->hub, &subscription->name);
    list_append(&subscription->channel->subscriptions, &subscription->in_channel);
    if (subscription->booking != NULL)
        list_append(&subscription->booking->dependents, &subscription->in_booking);
    metrics_gauge_add(gateway->metrics, METRIC_GATEWAY_SUBSCRIPTIONS, subscription->name.kind, 0, 1);
}

static void detach(struct subscription *subscription)
{
    struct gateway *gateway = subscription->session->gateway;
    struct channel *channel = subscription->channel;
    subscription->channel = NULL;
    list_remove(&subscription->in_channel);
    list_remove(&subscription->in_booking);
    metrics_gauge_add(gateway->metrics, METRIC_GATEWAY_SUBSCRIPTIONS, subscription->name.kind, 0, -1);
    if (list_is_empty(&channel->subscriptions))
        timer_wheel_start(gateway->wheel, &channel->linger, clock_monotonic_ms() + LINGER_MS, on_linger, channel);
}

void subscription_end(struct subscription *subscription)
{
    struct flow *flow = subscription->flow;
    subscription->flow = NULL;
    if (flow != NULL) {
        list_remove(&flow->node);
        flow->cancel(flow);
    }
    if (subscription->channel != NULL)
        detach(subscription);
    drop_slot(subscription);
    outbox_finish(&subscription->held);
    booking_release(&subscription->booking);
    list_remove(&subscription->in_session);
    subscription->session->subscription_count--;
    mem_free(subscription);
}

uint64_t subscription_position(const struct subscription *subscription)
{
    const struct channel *channel = subscription->channel;
    return channel == NULL || channel->continuity == NULL ? 0 : continuity_position(channel->continuity);
}

/* {"op":…,"channel":…,field:value} */
static void write_notice(const struct subscription *subscription, const char *op, const char *field, const char *value,
                         struct strbuf *text)
{
    struct json_writer json;
    strbuf_init(text, 128);
    json_writer_init(&json, text);
    json_begin_object(&json);
    json_kv_string(&json, "op", op);
    json_kv_string(&json, "channel", subscription->name.text);
    json_kv_string(&json, field, value);
    json_end_object(&json);
}

void subscription_resync(struct subscription *subscription, const char *reason)
{
    struct strbuf text;
    write_notice(subscription, "resync", "reason", reason, &text);
    session_send(subscription->session, &text);
    strbuf_finish(&text);
}

void subscription_revoke(struct subscription *subscription, const char *code)
{
    struct session *session = subscription->session;
    struct strbuf text;
    write_notice(subscription, "unsubscribed", "code", code, &text);
    LOG_INFO("subscription_revoked", LOG_STR("session", session->id), LOG_STR("channel", subscription->name.text),
             LOG_STR("code", code));
    subscription_end(subscription);
    session_send(session, &text);
    strbuf_finish(&text);
}

static struct subscription *first_forbidden(struct booking_entry *entry, enum acl_verdict *verdict_r)
{
    LIST_EACH(&entry->dependents, node)
    {
        struct subscription *subscription = CONTAINER_OF(node, struct subscription, in_booking);
        *verdict_r = acl_may_subscribe(subscription->session->principal, &subscription->name, entry->booking);
        if (*verdict_r != ACL_ALLOWED)
            return subscription;
    }
    return NULL;
}

void hub_booking_changed(struct booking_entry *entry)
{
    /* From the start each time: taking one away may end its session and with it any other. */
    enum acl_verdict verdict;
    for (struct subscription *subscription; (subscription = first_forbidden(entry, &verdict)) != NULL;)
        subscription_revoke(subscription, verdict == ACL_ENDED ? "booking_ended" : "revoked");
}
