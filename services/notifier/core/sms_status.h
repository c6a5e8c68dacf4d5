#ifndef HANSOM_SMS_STATUS_H
#define HANSOM_SMS_STATUS_H
/* The status callback of a Twilio-compatible API: is it from there, and what does it say? Foreign bytes. Pure. */
#include "base/base.h"

#define SMS_FORM_LENGTH_MAX 16384
#define SMS_FORM_FIELDS_MAX 64

/*
 * X-Twilio-Signature: base64 of HMAC-SHA1, with the auth token as key, over the URL as the provider calls it and the
 * form's fields, name and value, sorted by name. form: the body as it came. Compared in constant time.
 */
bool sms_signature_is_valid(const char *auth_token, const char *url, const char *form, size_t length,
                            const char *signature);

#define SMS_ID_SIZE 65
#define SMS_STATUS_SIZE 33
struct sms_status {
    char message_id[SMS_ID_SIZE]; /* MessageSid */
    char status[SMS_STATUS_SIZE]; /* MessageStatus: queued, sent, delivered, undelivered, failed, ... */
    int error_code;               /* 0: none */
};
/* False: not a well-formed form, or without MessageSid or MessageStatus. */
MUST_CHECK bool sms_status_parse(const char *form, size_t length, struct sms_status *status_r);

#endif
