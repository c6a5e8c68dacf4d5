/* Puts the parts of the gateway together, and drains it. */
#include "gateway.h"

#include "announcer.h"
#include "arrival.h"
#include "base/clock.h"
#include "event_acks.h"
#include "gateway_app.h"
#include "hub.h"
#include "listener.h"
#include "log/log.h"
#include "service/service_bus.h"
#include "user_watch.h"
#include "ws_server.h"

#define WHEEL_TICK_MS 20
#define WHEEL_SLOTS 4096
#define DRAIN_SHARE 0.6 /* of drain_timeout_ms is for telling clients */

/* --- the loop's turn ---------------------------------------------------------------------------------------------- */

/* One send per connection and turn, whatever brought the frames. */
static void flush_dirty(struct gateway *gateway)
{
    while (!list_is_empty(&gateway->dirty))
        session_flush(CONTAINER_OF(gateway->dirty.next, struct session, in_dirty));
}

static void on_before_poll(uv_prepare_t *handle)
{
    flush_dirty(handle->data);
}

static void on_after_poll(uv_check_t *handle)
{
    flush_dirty(handle->data);
}

static void on_wheel_tick(uv_timer_t *timer)
{
    timer_wheel_advance(((struct gateway *)timer->data)->wheel, clock_monotonic_ms());
}

static void start_handles(struct gateway *gateway)
{
    uv_timer_init(gateway->loop, &gateway->wheel_tick);
    uv_timer_init(gateway->loop, &gateway->rate_timer);
    uv_timer_init(gateway->loop, &gateway->drain_timer);
    uv_prepare_init(gateway->loop, &gateway->before_poll);
    uv_check_init(gateway->loop, &gateway->after_poll);
    gateway->wheel_tick.data = gateway->rate_timer.data = gateway->drain_timer.data = gateway;
    gateway->before_poll.data = gateway->after_poll.data = gateway;
    uv_timer_start(&gateway->wheel_tick, on_wheel_tick, WHEEL_TICK_MS, WHEEL_TICK_MS);
    uv_prepare_start(&gateway->before_poll, on_before_poll);
    uv_check_start(&gateway->after_poll, on_after_poll);
}

/* --- the bus ------------------------------------------------------------------------------------------------------ */

static void on_bus_state(void *context, enum bus_state state)
{
    struct gateway *gateway = context;
    metrics_gauge_set(gateway->metrics, METRIC_GATEWAY_BUS_UP, 0, 0, state == BUS_CONNECTED);
    service_set_condition(gateway->service, "nats", state == BUS_CONNECTED);
    if (state != BUS_CONNECTED)
        return;
    booking_cache_refresh(gateway->bookings);
    hub_refresh(gateway->hub);
    announcer_repeat(gateway->announcer, PARTITION_COUNT);
    event_acks_resume(gateway->event_acks);
}

static void on_booking_changed(void *context, struct booking_entry *entry)
{
    (void)context;
    hub_booking_changed(entry);
}

static bool start_bus(struct gateway *gateway, struct strbuf *error)
{
    char *reason = NULL;
    gateway->bus = service_bus_create(gateway->service, &reason);
    if (gateway->bus == NULL) {
        strbuf_append_string(error, reason);
        mem_free(reason);
        return false;
    }
    gateway->bookings = booking_cache_create(gateway->bus, gateway->wheel, on_booking_changed, gateway);
    gateway->hub = hub_create(gateway);
    gateway->announcer = announcer_create(gateway);
    gateway->event_acks = event_acks_create(gateway);
    user_watch_start(gateway);
    return true;
}

static bool load_chat(struct gateway *gateway, const struct chat_settings *settings, struct strbuf *error)
{
    char *reason = NULL;
    gateway->chat = chat_create(settings, &reason);
    if (gateway->chat != NULL)
        return true;
    strbuf_append_string(error, reason);
    mem_free(reason);
    return false;
}

static bool load_keys(struct gateway *gateway, struct strbuf *error)
{
    char *reason = NULL;
    gateway->keys = key_set_load(gateway->settings->jwt_keys_file, &reason);
    if (gateway->keys != NULL)
        return true;
    strbuf_appendf(error, "jwt_keys_file: %s", reason);
    mem_free(reason);
    return false;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static bool start_parts(struct gateway *gateway, const struct chat_settings *chat_settings, struct strbuf *error)
{
    if (!load_keys(gateway, error) || !load_chat(gateway, chat_settings, error) || !start_bus(gateway, error))
        return false;
    gateway->server = ws_server_create(gateway, error);
    if (gateway->server == NULL)
        return false;
    gateway->arrivals = arrivals_create(gateway);
    gateway->listener = listener_create(gateway, error);
    return gateway->listener != NULL;
}

bool gateway_start(struct service *service, const struct gateway_settings *settings,
                   const struct chat_settings *chat_settings, struct gateway **gateway_r, struct strbuf *error)
{
    struct gateway *gateway = mem_alloc(sizeof(*gateway));
    gateway->service = service;
    gateway->loop = service_loop(service);
    gateway->settings = settings;
    gateway->metrics = service_metrics(service);
    char unique[UUID_SIZE];
    uuid_generate(unique);
    snprintf(gateway->id, sizeof(gateway->id), "gw-%s", unique);
    gateway->wheel = timer_wheel_create(clock_monotonic_ms(), WHEEL_TICK_MS, WHEEL_SLOTS);
    gateway->tokens = token_cache_create((size_t)settings->token_cache_size);
    gateway->users = hashmap_create();
    list_init(&gateway->sessions);
    list_init(&gateway->dirty);
    heap_init(&gateway->rate_deadlines);
    service_set_condition(service, "nats", false);
    start_handles(gateway);
    if (!start_parts(gateway, chat_settings, error)) {
        gateway_stop(gateway);
        return false;
    }
    bus_on_state(gateway->bus, on_bus_state, gateway);
    *gateway_r = gateway;
    return true;
}

static void end_sessions(struct gateway *gateway)
{
    while (!list_is_empty(&gateway->sessions))
        session_closed(CONTAINER_OF(gateway->sessions.next, struct session, in_gateway), 0);
}

void gateway_reload(struct gateway *gateway)
{
    chat_reload(gateway->chat);
}

void gateway_stop(struct gateway *gateway)
{
    if (gateway->bus != NULL)
        bus_on_state(gateway->bus, NULL, NULL);
    arrivals_destroy(&gateway->arrivals);
    ws_server_destroy(&gateway->server);
    end_sessions(gateway);
    listener_destroy(&gateway->listener);
    if (gateway->bus != NULL)
        user_watch_stop(gateway);
    hub_destroy(&gateway->hub);
    chat_destroy(&gateway->chat);
    booking_cache_destroy(&gateway->bookings);
    announcer_destroy(&gateway->announcer);
    event_acks_destroy(&gateway->event_acks);
    bus_destroy(&gateway->bus);
    token_cache_destroy(&gateway->tokens);
    key_set_destroy(&gateway->keys);
    hashmap_destroy(&gateway->users);
    heap_finish(&gateway->rate_deadlines);
    timer_wheel_destroy(&gateway->wheel);
    uv_close((uv_handle_t *)&gateway->wheel_tick, NULL);
    uv_close((uv_handle_t *)&gateway->rate_timer, NULL);
    uv_close((uv_handle_t *)&gateway->drain_timer, NULL);
    uv_close((uv_handle_t *)&gateway->before_poll, NULL);
    uv_close((uv_handle_t *)&gateway->after_poll, NULL);
    uv_run(gateway->loop, UV_RUN_NOWAIT); /* the handles lie in the gateway */
    mem_free(gateway);
}

/* --- drain -------------------------------------------------------------------------------------------------------- */

#define DRAIN_TICK_MS 20

/* What a session has asked for is answered before it is closed, within the time for telling clients. */
static struct session *next_to_drain(struct gateway *gateway)
{
    bool is_late = clock_monotonic_ms() >= gateway->drain_told_ms;
    LIST_EACH(&gateway->sessions, node)
    {
        struct session *session = CONTAINER_OF(node, struct session, in_gateway);
        if (session->state < SESSION_CLOSING && (is_late || list_is_empty(&session->flows)))
            return session;
    }
    return NULL;
}

/* A share of the sessions each tick, so that not everybody knocks at the other gateways at once. */
static void on_drain_tick(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;
    uint64_t share = gateway->drain_step_us == 0 ? UINT64_MAX : 1 + DRAIN_TICK_MS * 1000 / gateway->drain_step_us;
    struct session *session;
    for (; share > 0 && (session = next_to_drain(gateway)) != NULL; share--) {
        gateway->drain_next_retry_ms += 1 + gateway->drain_step_us / 1000;
        session_close(session, CLOSE_draining, 100 + gateway->drain_next_retry_ms);
    }
    flush_dirty(gateway);
    if (list_is_empty(&gateway->sessions) && event_acks_are_idle(gateway->event_acks))
        service_drained(gateway->service);
}

void gateway_drain(struct gateway *gateway)
{
    listener_stop(gateway->listener);
    double window_ms = DRAIN_SHARE * (double)service_settings(gateway->service)->drain_timeout_ms;
    double wanted_ms = (double)gateway->settings->drain_spread_ms_per_connection * (double)gateway->session_count;
    if (wanted_ms > window_ms)
        wanted_ms = window_ms;
    gateway->drain_told_ms = clock_monotonic_ms() + (uint64_t)window_ms;
    gateway->drain_step_us =
        gateway->session_count == 0 ? 0 : (uint64_t)(wanted_ms * 1000 / (double)gateway->session_count);
    uv_timer_start(&gateway->drain_timer, on_drain_tick, 0, DRAIN_TICK_MS);
}
