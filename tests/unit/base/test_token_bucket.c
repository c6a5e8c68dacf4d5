#include <criterion/criterion.h>

#include "base/token_bucket.h"
#include "random_sequence.h"

Test(token_bucket, starts_full_and_refills)
{
    struct token_bucket bucket;
    token_bucket_init(&bucket, 2, 3, 1000);
    for (unsigned i = 0; i < 3; i++)
        cr_assert(token_bucket_take(&bucket, 1, 1000));
    cr_assert_not(token_bucket_take(&bucket, 1, 1000));
    cr_assert_eq(token_bucket_wait_ms(&bucket, 1, 1000), 500);
    cr_assert_not(token_bucket_take(&bucket, 1, 1499));
    cr_assert(token_bucket_take(&bucket, 1, 1500));
    cr_assert_eq(token_bucket_wait_ms(&bucket, 3, 100000), 0);
    cr_assert(token_bucket_take(&bucket, 3, 100000));
    cr_assert_not(token_bucket_take(&bucket, 1, 100000), "more than the burst was kept");
}

Test(token_bucket, a_clock_that_goes_back_refills_nothing_twice)
{
    struct token_bucket bucket;
    token_bucket_init(&bucket, 1, 1, 10000);
    cr_assert(token_bucket_take(&bucket, 1, 10000));
    cr_assert_not(token_bucket_take(&bucket, 1, 5000));
    cr_assert_not(token_bucket_take(&bucket, 1, 10500));
    cr_assert(token_bucket_take(&bucket, 1, 11000));
}

Test(token_bucket, nothing_refilled_is_never)
{
    struct token_bucket bucket;
    token_bucket_init(&bucket, 0, 1, 0);
    cr_assert(token_bucket_take(&bucket, 1, 0));
    cr_assert_eq(token_bucket_wait_ms(&bucket, 1, 1000), UINT64_MAX);
}

Test(token_bucket, the_wait_is_exact_and_the_rate_is_kept)
{
    uint64_t state = 77;
    for (unsigned round = 0; round < 300; round++) {
        double rate = (1 + (double)sequence_below(&state, 1000)) / 7, burst = 1 + (double)sequence_below(&state, 20);
        struct token_bucket bucket;
        uint64_t start_ms = sequence_below(&state, 1ull << 40), now_ms = start_ms;
        token_bucket_init(&bucket, rate, burst, now_ms);
        unsigned taken = 0;
        for (unsigned i = 0; i < 200; i++) {
            uint64_t wait_ms = token_bucket_wait_ms(&bucket, 1, now_ms);
            struct token_bucket early = bucket;
            cr_assert(wait_ms == 0 || !token_bucket_take(&early, 1, now_ms + wait_ms - 1));
            now_ms += wait_ms;
            cr_assert(token_bucket_take(&bucket, 1, now_ms), "rate %f: refused after the wait", rate);
            taken++;
            now_ms += sequence_below(&state, 30);
        }
        cr_assert_leq(taken, burst + rate * (double)(now_ms - start_ms) / 1000 + 1e-3);
    }
}
