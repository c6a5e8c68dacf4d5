#ifndef HANSOM_GATEWAY_H
#define HANSOM_GATEWAY_H
/* What the parts of one gateway process share. One loop, one thread owns all of it. */
#include "auth/auth.h"
#include "base/hashmap.h"
#include "base/heap.h"
#include "base/timer_wheel.h"
#include "bus/bus.h"
#include "gateway_metrics.h"
#include "gateway_settings.h"
#include "service/service.h"
#include "wire/wire.h"

struct booking_cache;
struct chat;
struct hub;
struct listener;
struct ws_server;
struct announcer;
struct arrivals;
struct event_acks;

struct gateway {
    struct service *service;
    uv_loop_t *loop;
    const struct gateway_settings *settings;
    struct metrics *metrics;
    char id[ID_SIZE]; /* unique to this run of the process */

    struct key_set *keys;
    struct token_cache *tokens;
    struct bus *bus;
    struct booking_cache *bookings;
    struct hub *hub;
    struct chat *chat;
    struct ws_server *server;
    struct arrivals *arrivals;
    struct listener *listener;
    struct announcer *announcer;
    struct event_acks *event_acks;
    struct bus_subscription *revocations, *policies, *publishers;

    struct timer_wheel *wheel; /* milliseconds of clock_monotonic_ms */
    uv_timer_t wheel_tick, rate_timer, drain_timer;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    struct heap rate_deadlines; /* of subscriptions that hold a position back */
    struct list_node sessions, dirty;
    struct hashmap *users; /* user id -> struct user_sessions */
    size_t session_count;
    uint64_t drain_step_us, drain_next_retry_ms, drain_told_ms;
};

#define GATEWAY_REQUEST_TIMEOUT_MS 3000
#define GATEWAY_RETRY_AFTER_MS 1000

#endif
