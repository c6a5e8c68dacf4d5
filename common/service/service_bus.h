#ifndef HANSOM_SERVICE_BUS_H
#define HANSOM_SERVICE_BUS_H
/* The bus as the settings say that every service has. */
#include "bus/bus.h"
#include "service/service.h"

/* As bus_create. */
static inline struct bus *service_bus_create(struct service *service, char **error_r)
{
    const struct service_settings *settings = service_settings(service);
    const struct bus_config config = {.url = settings->nats_url,
                                      .user = settings->nats_user,
                                      .password = settings->nats_password,
                                      .name = settings->instance,
                                      .replicas = (int)settings->nats_replicas};
    return bus_create(service_loop(service), &config, error_r);
}

#endif
