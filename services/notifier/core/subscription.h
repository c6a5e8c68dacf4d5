#ifndef HANSOM_SUBSCRIPTION_H
#define HANSOM_SUBSCRIPTION_H
/*
 * What a browser's PushSubscription says, as JSON: {"endpoint", "keys": {"p256dh", "auth"}}; other fields are ignored.
 * The endpoint is a URL that a stranger chose and that we will post to: see docs/adr/0011.
 */
#include "core/webpush_crypt.h"

#define SUBSCRIPTION_JSON_MAX 4096
#define SUBSCRIPTION_ENDPOINT_MAX 2048

struct subscription {
    char endpoint[SUBSCRIPTION_ENDPOINT_MAX + 1];
    struct webpush_receiver receiver;
};

/* False with a text appended to error that begins with the field ("token.keys.p256dh: ..."). allows_private: for tests,
 * http and addresses or names without a dot are taken too. */
MUST_CHECK bool subscription_parse(const char *json, size_t length, bool allows_private,
                                   struct subscription *subscription_r, struct strbuf *error);

/* Appends the origin (RFC 6454) of an endpoint that subscription_parse took: lower case, without the default port. */
void endpoint_origin(const char *endpoint, struct strbuf *origin);
/* Appends its host in lower case. */
void endpoint_host(const char *endpoint, struct strbuf *host);
/* Does it belong to one of the browser makers' push services? Only their failures say something about Web Push as a
 * whole; anybody can register an endpoint that fails. */
bool endpoint_is_known_service(const char *endpoint);

#endif
