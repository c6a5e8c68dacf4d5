/* The same words as on the admin port, for load balancers in front of the internal one. */
#include "backoffice.h"
#include "routes.h"

static void say(struct exchange *exchange, unsigned status, const char *text)
{
    strbuf_appendf(&exchange->answer, "{\"status\":\"%s\"}", text);
    exchange_reply(exchange, status);
}

void handle_healthz(struct backoffice *app, struct exchange *exchange)
{
    (void)app;
    say(exchange, 200, "ok"); /* that the loop turns is what this shows */
}

void handle_readyz(struct backoffice *app, struct exchange *exchange)
{
    if (service_is_ready(app->service))
        say(exchange, 200, "ready");
    else
        say(exchange, 503, "not_ready");
}
