#ifndef HANSOM_BACKOFFICE_H
#define HANSOM_BACKOFFICE_H
/* What the parts of the service share. Loop thread, but for what the gate reads (constant after start). */
#include "backoffice_metrics.h"
#include "backoffice_settings.h"
#include "bus/bus.h"
#include "http/http_server.h"
#include "message_outbox.h"
#include "pg/pg.h"
#include "secrets.h"
#include "service/service.h"

struct backoffice {
    struct service *service;
    const struct backoffice_settings *settings;
    struct metrics *metrics;
    struct secrets secrets;
    struct pg *pg;
    struct bus *bus;
    struct kv_writer *kv_writer;
    struct outbox *outbox;
    struct message_outbox *message_outbox;
    struct token_refresher *refresher;
    struct pg_job *housekeeping;
    struct http_server *http;
};

static inline uint32_t query_timeout_ms(const struct backoffice *app)
{
    return (uint32_t)app->settings->query_timeout_ms;
}
static inline uint32_t bus_timeout_ms(const struct backoffice *app)
{
    return (uint32_t)app->settings->bus_timeout_ms;
}

#endif
