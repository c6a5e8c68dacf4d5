#ifndef HANSOM_WEBPUSH_MESSAGE_H
#define HANSOM_WEBPUSH_MESSAGE_H
/* A notice as a Web Push request (RFC 8030), and what its answer means. Neither sends: webpush.c does. */
#include "core/subscription.h"
#include "notice.h"
#include "transfer.h"

#define WEBPUSH_HEADER_COUNT_MAX 6
#define WEBPUSH_TTL_MAX_S 2419200 /* 28 days, the most that push services keep a message */

struct webpush_message {
    struct strbuf body, authorization;
    char ttl[32], urgency[32], topic[64];
    const char *headers[WEBPUSH_HEADER_COUNT_MAX];
    struct transfer_request request; /* points into this struct and at the subscription's endpoint */
};

/* authorization: the header's value. The message may not move afterwards; finish it whatever the result is. */
MUST_CHECK enum webpush_result webpush_message_init(struct webpush_message *message, const struct notice *notice,
                                                    const struct subscription *subscription, const char *authorization,
                                                    int64_t now_ms, uint32_t timeout_ms);
void webpush_message_finish(struct webpush_message *message);
/* Appends the JSON that the service worker gets, at most WEBPUSH_PLAINTEXT_MAX bytes: `data` is left out first, then
 * the end of the body. */
void webpush_payload_write(struct strbuf *out, const struct notice *notice);

struct webpush_answer {
    enum transfer_failure failure;
    int status;
    const char *location; /* NULL: absent */
    uint64_t retry_after_ms;
    bool is_known_service; /* see endpoint_is_known_service */
};
void webpush_judge(const struct webpush_answer *answer, struct outcome *outcome_r);

#endif
