#include <criterion/criterion.h>

#include "core/retry_rules.h"

#define NOW 1000000
static const struct retry_settings settings = {.base_ms = 100, .cap_ms = 1000};

static struct retry_decision decide(enum verdict verdict, enum failure failure, uint64_t retry_after_ms,
                                    unsigned attempt, int64_t expires_ms)
{
    const struct outcome outcome = {.verdict = verdict, .failure = failure, .retry_after_ms = retry_after_ms};
    const struct retry_facts facts = {attempt, 8, NOW - 4000, expires_ms};
    return retry_decide(&outcome, &facts, &settings, NOW);
}

Test(retry_rules, back_off_is_jittered_and_capped)
{
    for (unsigned attempt = 1; attempt < 8; attempt++)
        for (int i = 0; i < 200; i++) {
            struct retry_decision decision = decide(VERDICT_RETRY, FAILURE_unavailable, 0, attempt, NOW + 100000);
            int64_t limit = 100 << (attempt - 1);
            cr_assert_eq(decision.state, DELIVERY_due);
            cr_assert(decision.due_ms >= NOW && decision.due_ms <= NOW + (limit < 1000 ? limit : 1000));
        }
}

Test(retry_rules, the_providers_wish_is_obeyed)
{
    for (int i = 0; i < 200; i++) {
        struct retry_decision decision = decide(VERDICT_RETRY, FAILURE_rate_limited, 5000, 1, NOW + 100000);
        cr_assert(decision.due_ms >= NOW + 5000 && decision.due_ms <= NOW + 5100, "not all at once either");
    }
}

Test(retry_rules, ends)
{
    cr_expect_eq(decide(VERDICT_ACCEPTED, FAILURE_none, 0, 1, NOW + 1).state, DELIVERY_accepted);
    cr_expect_eq(decide(VERDICT_RETRY, FAILURE_timeout, 0, 8, NOW + 100000).state, DELIVERY_dead);
    cr_expect_eq(decide(VERDICT_RETRY, FAILURE_timeout, 0, 9, NOW + 100000).state, DELIVERY_dead);
    cr_expect_eq(decide(VERDICT_RETRY, FAILURE_rate_limited, 5000, 1, NOW + 4000).state, DELIVERY_expired);
    cr_expect_eq(decide(VERDICT_REJECTED, FAILURE_bad_request, 0, 1, NOW + 100000).state, DELIVERY_rejected);
    cr_expect_eq(decide(VERDICT_DEAD, FAILURE_dead_target, 0, 1, NOW + 100000).state, DELIVERY_rejected);
    cr_expect_eq(decide(VERDICT_REJECTED, FAILURE_expired, 0, 1, NOW).state, DELIVERY_expired);
}

Test(retry_rules, what_found_no_place_waits_a_part_of_its_age)
{
    const struct retry_settings wide = {.base_ms = 100, .cap_ms = 5000};
    const struct outcome outcome = {.verdict = VERDICT_LATER, .failure = FAILURE_host_busy};
    for (int i = 0; i < 200; i++) {
        struct retry_decision young =
            retry_decide(&outcome, &(struct retry_facts){9, 8, NOW - 400, NOW + 100000}, &wide, NOW);
        cr_assert_eq(young.state, DELIVERY_due, "it was no attempt");
        cr_assert(young.due_ms >= NOW + 200 && young.due_ms <= NOW + 400);
        struct retry_decision old = retry_decide(&outcome, &(struct retry_facts){1, 8, 0, NOW + 100000}, &wide, NOW);
        cr_assert(old.due_ms >= NOW + 5000 && old.due_ms <= NOW + 10000, "no longer than the cap, twice with jitter");
    }
    cr_expect_eq(decide(VERDICT_LATER, FAILURE_host_busy, 0, 1, NOW + 500).state, DELIVERY_expired);
}
