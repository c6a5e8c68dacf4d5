#ifndef HANSOM_NOTIFIER_H
#define HANSOM_NOTIFIER_H
/* What the parts of the service share. One loop, one thread owns all of it. */
#include "bus/bus.h"
#include "core/local_time.h"
#include "core/policy.h"
#include "notice.h"
#include "notifier_metrics.h"
#include "notifier_settings.h"
#include "pg/pg.h"
#include "proto/bus.pb-c.h"
#include "service/service.h"

struct templates;
struct transfer_client;
struct shared_tokens;

struct notifier {
    struct service *service;
    const struct notifier_settings *settings;
    struct metrics *metrics;
    struct bus *bus;
    struct pg *pg;         /* the plan and the ledger */
    struct pg *request_pg; /* what other services ask, which never waits behind a batch */
    struct policies *policies;
    struct templates *templates;
    struct quiet_hours quiet_hours;
    struct transfer_client *transfers;
    struct shared_tokens *shared_tokens;

    struct dispatcher *dispatcher;
    struct step_runner *steps;
    struct event_intake *intake;
    struct event_puller *events;
    struct ack_intake *acks;
    struct chat_watch *chat;
    struct requests *requests;
    struct housekeeping *housekeeping;
};

#define STREAM_EVENTS "EVENTS"
#define STREAM_ACKS "EVENT_ACKS"
#define STREAM_CHAT "CHAT"
#define CONSUMER_NOTIFIER "notifier"

static inline uint32_t query_timeout_ms(const struct notifier *app)
{
    return (uint32_t)app->settings->query_timeout_ms;
}

#endif
