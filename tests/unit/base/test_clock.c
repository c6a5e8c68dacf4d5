#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"
#include "random_sequence.h"

static bool parse(const char *text, int64_t *unix_ms_r)
{
    return rfc3339_parse(text, strlen(text), unix_ms_r);
}

static void expect(const char *text, int64_t expected_ms)
{
    int64_t unix_ms = 0;
    cr_assert(parse(text, &unix_ms), "%s", text);
    cr_assert_eq(unix_ms, expected_ms, "%s: %lld", text, (long long)unix_ms);
}

Test(rfc3339, reads)
{
    expect("1970-01-01T00:00:00Z", 0);
    expect("2025-01-01T12:00:00Z", 1735732800000);
    expect("2025-01-01t12:00:00z", 1735732800000);
    expect("2025-01-01T12:00:00.25Z", 1735732800250);
    expect("2025-01-01T12:00:00.123456789Z", 1735732800123);
    expect("2025-01-01T14:00:00+02:00", 1735732800000);
    expect("2025-01-01T06:15:00-05:45", 1735732800000);
    expect("2024-12-31T23:59:60Z", 1735689600000);
    expect("1969-12-31T23:59:59.999Z", -1);
    expect("2000-02-29T00:00:00Z", 951782400000);
    expect("2024-02-29T00:00:00Z", 1709164800000);
}

Test(rfc3339, refuses)
{
    static const char *const wrong[] = {
        "",
        "2025",
        "2025-01-01",
        "2025-01-01T12:00:00",
        "2025-01-01T12:00Z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-01-00T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2025-04-31T00:00:00Z",
        "2025-01-01T24:00:00Z",
        "2025-01-01T12:60:00Z",
        "2025-01-01T12:00:61Z",
        "2025-01-01T12:00:00.Z",
        "2025-01-01T12:00:00.1234567890Z",
        "2025-01-01T12:00:00,5Z",
        "2025-01-01T12:00:00+24:00",
        "2025-01-01T12:00:00+02:60",
        "2025-01-01T12:00:00+0200",
        "2025-01-01T12:00:00+02",
        "2025-01-01T12:00:00Zx",
        " 2025-01-01T12:00:00Z",
        "+025-01-01T12:00:00Z",
        "2025-1-01T12:00:00Z",
    };
    int64_t unix_ms;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        cr_assert_not(parse(wrong[i], &unix_ms), "%s", wrong[i]);
}

Test(rfc3339, stops_at_the_length)
{
    int64_t unix_ms = 0;
    cr_assert(rfc3339_parse("2025-01-01T12:00:00Zgarbage", 20, &unix_ms));
    cr_assert_eq(unix_ms, 1735732800000);
    for (size_t length = 0; length < 20; length++)
        cr_assert_not(rfc3339_parse("2025-01-01T12:00:00Z", length, &unix_ms));
    cr_assert_not(rfc3339_parse("2025-01-01T12:00:00\0", 20, &unix_ms));
}

Test(rfc3339, what_is_written_reads_back_and_libc_agrees)
{
    uint64_t state = 3;
    for (unsigned i = 0; i < 20000; i++) {
        int64_t unix_ms = (int64_t)sequence_below(&state, 253402300800000ull), again = -1;
        char text[RFC3339_SIZE];
        rfc3339_format(unix_ms, text);
        cr_assert(parse(text, &again), "%s", text);
        cr_assert_eq(again, unix_ms, "%s", text);
        struct tm parts = {0};
        cr_assert_not_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &parts));
        cr_assert_eq(timegm(&parts), unix_ms / 1000);
    }
}

Test(rfc3339, writes_milliseconds_only_when_there_are_some)
{
    char text[RFC3339_SIZE];
    rfc3339_format(1735732800000, text);
    cr_assert_str_eq(text, "2025-01-01T12:00:00Z");
    rfc3339_format(1735732800007, text);
    cr_assert_str_eq(text, "2025-01-01T12:00:00.007Z");
}
