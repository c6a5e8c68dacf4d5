#ifndef HANSOM_APNS_MESSAGE_H
#define HANSOM_APNS_MESSAGE_H
/* Apple Push Notification service: payloads, headers, provider tokens and answers. Pure. */
#include "base/strbuf.h"
#include "core/header_list.h"
#include "notice.h"

#define APNS_PAYLOAD_MAX 4096
#define APNS_COLLAPSE_ID_MAX 64

/* Appends. The event's data is left out ("data_omitted") when it would be too large; false: it is too large even so. */
MUST_CHECK bool apns_payload_build(struct strbuf *out, const struct notice *notice);
/* All headers but the authorization. */
void apns_headers_build(struct header_list *headers, const struct notice *notice, const char *topic);
/* Letters and digits: what may stand in the request's path. */
bool apns_token_is_sane(const char *token);
/* Signed by ES256; mem_free. NULL: the key does not fit. */
char *apns_provider_token(const char *key_pem, const char *key_id, const char *team_id, int64_t now_ms);

/* apns_id: of the answer's header, may be NULL. *is_token_refused_r: our provider token was not accepted. */
void apns_judge(struct outcome *outcome, int status, const char *body, const char *apns_id, uint64_t retry_after_ms,
                bool *is_token_refused_r);

#endif
