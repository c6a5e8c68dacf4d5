#ifndef HANSOM_SMS_MESSAGE_H
#define HANSOM_SMS_MESSAGE_H
/* SMS over a Twilio-compatible API: the form of a message, and what its answer means. Pure. */
#include "base/strbuf.h"
#include "notice.h"

struct sms_sender {
    const char *from;                /* a number, "" if a messaging service sends */
    const char *messaging_service;   /* SID, "": none */
    const char *status_callback_url; /* "": none */
};

/* Appends. */
void sms_form_build(struct strbuf *out, const struct sms_sender *sender, const struct notice *notice, int64_t now_ms);
void sms_judge(struct outcome *outcome, int status, const char *body, uint64_t retry_after_ms);

#endif
