#include "base/token_bucket.h"

#include <math.h>

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
    bucket->updated_ms = now_ms;
    bool is_enough = tokens >= amount;
    bucket->tokens = is_enough ? tokens - amount : tokens;
    return is_enough;
}

uint64_t token_bucket_wait_ms(const struct token_bucket *bucket, double amount, uint64_t now_ms)
{
    double missing = amount - tokens_at(bucket, now_ms);
    return missing <= 0 ? 0 : (uint64_t)ceil(missing / bucket->rate_per_s * 1000.0);
}
