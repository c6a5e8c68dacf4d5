#ifndef HANSOM_EMAIL_MESSAGE_H
#define HANSOM_EMAIL_MESSAGE_H
/* E-mail: RFC 5322 messages in UTF-8 text, and what an SMTP reply means. Pure. */
#include "base/strbuf.h"
#include "notice.h"

#define EMAIL_ADDRESS_MAX 254 /* RFC 5321 4.5.3.1.3 */

/* local@domain in printable ASCII without anything that has a meaning in SMTP or in a header. */
bool email_address_is_sane(const char *address);

struct email_sender {
    char *name; /* "": none */
    char *address;
    const char *domain; /* of the address */
};
/* "Name <address>" or an address. False: it is neither. Finish it in both cases. */
MUST_CHECK bool email_sender_parse(struct email_sender *sender, const char *text);
void email_sender_finish(struct email_sender *sender);

/*
 * The whole message with CRLF. Appends. Control characters in title become spaces; false: the address or the event's id
 * could end a header. The Message-ID is the same for each attempt.
 */
MUST_CHECK bool email_message_build(struct strbuf *out, const struct email_sender *sender, const struct notice *notice,
                                    int64_t now_ms);
void email_message_id(char *buffer, size_t size, const struct email_sender *sender, uint64_t delivery_id);

/* status: the last SMTP reply. is_about_recipient: it answered RCPT TO. */
void email_judge(struct outcome *outcome, int status, bool is_about_recipient);

#endif
