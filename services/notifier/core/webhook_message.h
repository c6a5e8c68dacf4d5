#ifndef HANSOM_WEBHOOK_MESSAGE_H
#define HANSOM_WEBHOOK_MESSAGE_H
/* The operator's webhook, signed as standardwebhooks.com says. Pure. */
#include "base/strbuf.h"
#include "core/header_list.h"
#include "notice.h"

/* {"type", "timestamp", "data": {"event_id", "user_id", "critical", "expires_at", "title", "body", "event": {...}}}. */
void webhook_body_build(struct strbuf *out, const struct notice *notice);
/* Appends the key: "whsec_" and base64, or any text as it is. */
void webhook_key(struct strbuf *out, const char *secret);
/* Appends "v1," and the signature of id, time and body. */
void webhook_sign(struct strbuf *out, const struct strbuf *key, const char *id, int64_t timestamp_s,
                  const struct strbuf *body);
/* content-type, webhook-id (the same for each attempt), webhook-timestamp, webhook-signature. */
void webhook_headers_build(struct header_list *headers, const struct notice *notice, const struct strbuf *key,
                           const struct strbuf *body, int64_t now_ms);

#endif
