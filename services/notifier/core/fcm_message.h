#ifndef HANSOM_FCM_MESSAGE_H
#define HANSOM_FCM_MESSAGE_H
/* Firebase Cloud Messaging, HTTP v1: messages, answers, and the OAuth token of a service account. Pure. */
#include "base/strbuf.h"
#include "notice.h"

#define FCM_MESSAGE_MAX 4096 /* of what FCM limits (the notification and the data), here of the whole request */

/* The body of messages:send. Appends. The event's data is left out ("data_omitted") when it would be too large; false:
 * it is too large even so. */
MUST_CHECK bool fcm_message_build(struct strbuf *out, const struct notice *notice, int64_t now_ms);
/* body: zero-terminated, anything. */
void fcm_judge(struct outcome *outcome, int status, const char *body, uint64_t retry_after_ms);

/* A service account's JSON key. */
struct fcm_account {
    char *project_id, *client_email, *private_key, *private_key_id, *token_uri;
};
/* False with a text appended to error that names the member. */
MUST_CHECK bool fcm_account_parse(struct fcm_account *account, const char *json, struct strbuf *error);
void fcm_account_finish(struct fcm_account *account);
/* The form of a token request (RFC 7523 jwt-bearer). False: the key cannot sign. */
MUST_CHECK bool fcm_token_form_build(struct strbuf *out, const struct fcm_account *account, int64_t now_ms);
/* NULL: there is no token in it. mem_free. */
char *fcm_token_parse(const char *body, uint64_t *life_ms_r);

#endif
