#ifndef HANSOM_VAPID_H
#define HANSOM_VAPID_H
/*
 * Who we are towards push services (RFC 8292): a signed token per service, kept until half of its life is over. The
 * clock comes in.
 */
#include "base/strbuf.h"

#define VAPID_LIFE_S 43200  /* RFC 8292 allows 24 h; push services' clocks differ from ours */
#define VAPID_RENEW_S 21600 /* a token that lives no longer than this is not used any more */
#define VAPID_ORIGINS_MAX 512

struct vapid;
/* key_file: PEM private key on P-256. subject: mailto: or https: (Apple refuses tokens without one). NULL with a text
 * appended to error, which names the setting. */
struct vapid *vapid_create(const char *key_file, const char *subject, struct strbuf *error);
/* Clears the pointer; NULL is allowed. */
void vapid_destroy(struct vapid **vapid);
/* What browsers take as applicationServerKey: base64url of the public point. */
const char *vapid_public_key(const struct vapid *vapid);
/* The Authorization header's value for an endpoint that subscription_parse took, valid until the next call. NULL with
 * a text appended to error: it could not be signed. */
const char *vapid_authorization(struct vapid *vapid, const char *endpoint, int64_t now_ms, struct strbuf *error);

#endif
