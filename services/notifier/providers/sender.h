#ifndef HANSOM_SENDER_H
#define HANSOM_SENDER_H
/* What all providers have in common: attempts under way, and their ends. */
#include "provider.h"
#include "transfer.h"

struct sender;
struct sending;

struct sender *sender_create(const struct provider_env *env);
/* Cancels everything without a word. Clears the pointer; NULL is allowed. */
void sender_destroy(struct sender **sender);

/* An answer has come (TRANSFER_OK): fills the outcome. tag: the one that was given. */
typedef void sender_judge(void *state, uint64_t tag, const struct transfer *transfer,
                          const struct transfer_reply *reply, struct outcome *outcome);
/* The request's timeout is set here. Transfers that fail are judged by sender_judge_failure. */
void sender_send(struct sender *sender, struct transfer_request *request, struct attempt *attempt, sender_judge *judge,
                 void *state, uint64_t tag);
/* At the loop's next turn. */
void sender_end_later(struct sender *sender, struct attempt *attempt, const struct outcome *outcome);
/* What a transfer without an answer means: again later, uncertain if it may have been taken. */
void sender_judge_failure(struct outcome *outcome, const struct transfer_reply *reply, bool is_foreign);

#endif
