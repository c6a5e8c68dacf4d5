#ifndef HANSOM_GATEWAY_APP_H
#define HANSOM_GATEWAY_APP_H
#include "chat_settings.h"
#include "gateway.h"

/* False: the reason is in error and nothing is left behind. */
bool gateway_start(struct service *service, const struct gateway_settings *settings,
                   const struct chat_settings *chat_settings, struct gateway **gateway_r, struct strbuf *error);
void gateway_reload(struct gateway *gateway);
void gateway_drain(struct gateway *gateway);
void gateway_stop(struct gateway *gateway);

#endif
