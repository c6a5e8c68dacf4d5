#ifndef HANSOM_TOKEN_BUCKET_H
#define HANSOM_TOKEN_BUCKET_H
/* Token bucket with lazy refill; pure, the caller passes the time. */
#include "base/base.h"

struct token_bucket {
    double tokens, rate_per_s, burst;
    uint64_t updated_ms;
};

/* Starts full. */
void token_bucket_init(struct token_bucket *bucket, double rate_per_s, double burst, uint64_t now_ms);
/* Takes if there are enough. A time before the last one refills nothing. */
bool token_bucket_take(struct token_bucket *bucket, double amount, uint64_t now_ms);
/* Milliseconds until the amount could be taken; 0 = now, UINT64_MAX = never, because nothing is refilled. An amount
 * above the burst is never granted: the wait does not tell. */
uint64_t token_bucket_wait_ms(const struct token_bucket *bucket, double amount, uint64_t now_ms);

#endif
