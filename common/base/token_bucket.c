#include "base/token_bucket.h"

#include <math.h>

#define ROUNDING 1e-9 /* what refilling in parts may lose */

void token_bucket_init(struct token_bucket *bucket, double rate_per_s, double burst, uint64_t now_ms)
{
    *bucket = (struct token_bucket){.tokens = burst, .rate_per_s = rate_per_s, .burst = burst, .updated_ms = now_ms};
}

static double tokens_at(const struct token_bucket *bucket, uint64_t now_ms)
{
    double elapsed_s = now_ms > bucket->updated_ms ? (double)(now_ms - bucket->updated_ms) / 1000.0 : 0;
    return fmin(bucket->burst, bucket->tokens + elapsed_s * bucket->rate_per_s);
}

bool token_bucket_take(struct token_bucket *bucket, double amount, uint64_t now_ms)
{
    double tokens = tokens_at(bucket, now_ms);
    if (now_ms > bucket->updated_ms)
        bucket->updated_ms = now_ms;
    bool is_enough = tokens + ROUNDING >= amount;
    bucket->tokens = is_enough ? fmax(0, tokens - amount) : tokens;
    return is_enough;
}

uint64_t token_bucket_wait_ms(const struct token_bucket *bucket, double amount, uint64_t now_ms)
{
    double missing = amount - tokens_at(bucket, now_ms);
    if (missing <= ROUNDING)
        return 0;
    double wait_ms = ceil((missing - ROUNDING) / bucket->rate_per_s * 1000.0);
    return wait_ms < (double)UINT64_MAX ? (uint64_t)wait_ms : UINT64_MAX;
}
