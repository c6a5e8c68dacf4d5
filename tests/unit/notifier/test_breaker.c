#include <criterion/criterion.h>

#include "core/breaker.h"

#define LIMIT 3
#define OPEN_MS 1000u

static void fail(struct breaker *breaker, unsigned times, uint64_t now_ms)
{
    for (unsigned i = 0; i < times; i++) {
        breaker_note_begin(breaker);
        breaker_note_end(breaker, BREAKER_FAILED, now_ms);
    }
}

Test(breaker, opens_after_so_many_faults_in_a_row)
{
    struct breaker breaker;
    breaker_init(&breaker, LIMIT, OPEN_MS);
    cr_assert_eq(breaker_allowance(&breaker, 0), SIZE_MAX);
    fail(&breaker, LIMIT - 1, 10);
    breaker_note_end(&breaker, BREAKER_WORKS, 10); /* begins to count anew */
    fail(&breaker, LIMIT - 1, 10);
    cr_assert_eq(breaker.state, BREAKER_CLOSED);
    cr_assert_eq(breaker_allowance(&breaker, 10), SIZE_MAX);
    fail(&breaker, 1, 10);
    cr_assert_eq(breaker.state, BREAKER_OPEN);
    cr_assert_eq(breaker_allowance(&breaker, 10), 0);
    cr_assert_eq(breaker_allowance(&breaker, 10 + OPEN_MS - 1), 0);
}

Test(breaker, one_probe_at_a_time)
{
    struct breaker breaker;
    breaker_init(&breaker, LIMIT, OPEN_MS);
    fail(&breaker, LIMIT, 0);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS), 1);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS), 1, "asking is not beginning");
    breaker_note_begin(&breaker);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS), 0);
    cr_assert_eq(breaker_allowance(&breaker, 100 * OPEN_MS), 0);
    breaker_note_end(&breaker, BREAKER_WORKS, OPEN_MS);
    cr_assert_eq(breaker.state, BREAKER_CLOSED);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS), SIZE_MAX);
    fail(&breaker, LIMIT - 1, OPEN_MS);
    cr_assert_eq(breaker.state, BREAKER_CLOSED, "faults from before do not count any more");
}

Test(breaker, stays_open_longer_with_each_failed_probe)
{
    static const uint64_t factors[] = {1, 2, 4, 8, 10, 10, 10};
    struct breaker breaker;
    uint64_t now_ms = 5;
    breaker_init(&breaker, LIMIT, OPEN_MS);
    fail(&breaker, LIMIT, now_ms);
    for (size_t i = 0; i < ARRAY_LEN(factors); i++) {
        uint64_t until_ms = now_ms + factors[i] * OPEN_MS;
        cr_assert_eq(breaker_allowance(&breaker, until_ms - 1), 0, "probe %zu", i);
        cr_assert_eq(breaker_allowance(&breaker, until_ms), 1, "probe %zu", i);
        now_ms = until_ms;
        fail(&breaker, 1, now_ms);
        cr_assert_eq(breaker.state, BREAKER_OPEN);
    }
    now_ms += 10 * OPEN_MS;
    cr_assert_eq(breaker_allowance(&breaker, now_ms), 1);
    breaker_note_begin(&breaker);
    breaker_note_end(&breaker, BREAKER_WORKS, now_ms);
    fail(&breaker, LIMIT, now_ms);
    cr_assert_eq(breaker_allowance(&breaker, now_ms + OPEN_MS), 1, "it starts with open_ms again");
}

/* Attempts that began before it opened come home later. */
Test(breaker, late_ends)
{
    struct breaker breaker;
    breaker_init(&breaker, LIMIT, OPEN_MS);
    fail(&breaker, LIMIT, 0);
    breaker_note_end(&breaker, BREAKER_FAILED, OPEN_MS - 1);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS), 1, "a late fault does not prolong it");
    breaker_init(&breaker, LIMIT, OPEN_MS);
    fail(&breaker, LIMIT, 0);
    breaker_note_end(&breaker, BREAKER_WORKS, 1);
    cr_assert_eq(breaker_allowance(&breaker, 1), SIZE_MAX, "a late success shows that it works");
}

Test(breaker, what_says_nothing_changes_nothing)
{
    struct breaker breaker;
    breaker_init(&breaker, LIMIT, OPEN_MS);
    fail(&breaker, LIMIT - 1, 0);
    breaker_note_end(&breaker, BREAKER_SAYS_NOTHING, 0);
    fail(&breaker, 1, 0);
    cr_assert_eq(breaker.state, BREAKER_OPEN, "they were in a row");
    breaker_note_end(&breaker, BREAKER_SAYS_NOTHING, 0);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS - 1), 0);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS), 1);
    breaker_note_begin(&breaker);
    breaker_note_end(&breaker, BREAKER_SAYS_NOTHING, OPEN_MS);
    cr_assert_eq(breaker.state, BREAKER_HALF_OPEN);
    cr_assert_eq(breaker_allowance(&breaker, OPEN_MS), 1, "another one may probe");
}
