#include <criterion/criterion.h>

#include "base/clock.h"
#include "core/local_time.h"

TestSuite(local_time, .fini = local_time_finish);

static int64_t at(const char *text)
{
    int64_t unix_ms = 0;
    cr_assert(rfc3339_parse(text, strlen(text), &unix_ms), "%s", text);
    return unix_ms;
}

Test(local_time, zones)
{
    static const char *const known[] = {
        "UTC",          "GMT",       "Europe/Berlin",       "America/Argentina/Buenos_Aires",
        "Asia/Kolkata", "Etc/GMT+1", "Australia/Lord_Howe", "America/St_Johns",
        "EST5EDT"};
    static const char *const unknown[] = {"",
                                          "GMT+1",
                                          "GMT+01:00",
                                          "+01:00",
                                          "UTC+1",
                                          "Mars/Base",
                                          "Etc/Unknown",
                                          "IST",
                                          "Europe/Berlin ",
                                          "Europe/Berl\xc3\xadn",
                                          "europe/berlin",
                                          "../../etc/passwd",
                                          "Europe/Berlin/Europe/Berlin/Europe/Berlin/Europe/Berlin/Europe/Berlin/X"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        cr_expect(timezone_is_known(known[i]), "%s", known[i]);
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        cr_expect_not(timezone_is_known(unknown[i]), "%s", unknown[i]);
}

Test(local_time, locales)
{
    static const char *const valid[] = {"en", "de-CH", "de-CH-1996", "zh-Hant-TW", "es-419", "ar-u-nu-latn", "tlh"};
    static const char *const invalid[] = {"",
                                          "-",
                                          "en_US",
                                          "e",
                                          "en--US",
                                          "en-",
                                          "de-CH-",
                                          "en US",
                                          "\xc3\xa9n",
                                          "en-abcdefghijk",
                                          "en-x-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd"};
    for (size_t i = 0; i < ARRAY_LEN(valid); i++)
        cr_expect(locale_is_valid(valid[i]), "%s", valid[i]);
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++)
        cr_expect_not(locale_is_valid(invalid[i]), "%s", invalid[i]);
}

static void expect_format(const char *time, const char *locale, const char *timezone, enum time_style style,
                          const char *expected)
{
    struct strbuf text;
    strbuf_init(&text, 64);
    local_time_format(&text, at(time), locale, timezone, style);
    cr_expect_str_eq(text.data, expected, "%s %s %s: \"%s\"", time, locale, timezone, text.data);
    strbuf_finish(&text);
}

Test(local_time, formats)
{
    static const char winter[] = "2025-01-15T18:05:00Z", summer[] = "2025-07-15T18:05:00Z";
    expect_format(winter, "en", "America/New_York", TIME_STYLE_TIME, "1:05 PM");
    expect_format(summer, "en", "America/New_York", TIME_STYLE_TIME, "2:05 PM");
    expect_format(winter, "en-GB", "Europe/London", TIME_STYLE_TIME, "18:05");
    expect_format(winter, "de", "Europe/Berlin", TIME_STYLE_TIME, "19:05");
    expect_format(summer, "de", "Europe/Berlin", TIME_STYLE_DATE, "15.07.2025");
    expect_format(summer, "de", "Europe/Berlin", TIME_STYLE_DATETIME, "15.07.2025, 20:05");
    expect_format(summer, "fr", "Asia/Kolkata", TIME_STYLE_TIME, "23:35");
    expect_format(winter, "es", "Pacific/Auckland", TIME_STYLE_DATE, "16 ene 2025");
    expect_format(winter, "ar-EG", "Africa/Cairo", TIME_STYLE_TIME, "٨:٠٥ م");
    expect_format(winter, "ar-EG-u-nu-latn", "Africa/Cairo", TIME_STYLE_TIME, "8:05 م");
    expect_format(winter, "th", "Asia/Bangkok", TIME_STYLE_DATE, "16 ม.ค. 2568");
}

Test(local_time, what_is_not_known_has_defaults)
{
    static const char time[] = "2025-01-15T18:05:00Z";
    expect_format(time, "", "", TIME_STYLE_TIME, "6:05 PM");
    expect_format(time, "tlh", "Mars/Base", TIME_STYLE_TIME, "6:05 PM");
    expect_format(time, "not a locale", "GMT+1", TIME_STYLE_TIME, "6:05 PM");
    expect_format(time, "de-x-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd", "UTC", TIME_STYLE_TIME, "6:05 PM");
}

/* More of them than the caches hold, then the first again. */
Test(local_time, the_caches_forget_and_learn_again)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    for (int i = 0; i < 600; i++) {
        char locale[32];
        snprintf(locale, sizeof(locale), "de-x-n%d", i);
        local_time_format(&text, i, locale, "UTC", TIME_STYLE_TIME);
    }
    strbuf_finish(&text);
    expect_format("2025-01-15T18:05:00Z", "de-x-n0", "Europe/Berlin", TIME_STYLE_TIME, "19:05");
    local_time_finish();
    expect_format("2025-01-15T18:05:00Z", "de-x-n0", "Europe/Berlin", TIME_STYLE_TIME, "19:05");
}

Test(quiet_hours, parse)
{
    static const char *const bad[] = {"22:00",       "22:00-7:00",   "22:00-24:00", "22:60-07:00", "22.00-07:00",
                                      "22:00 07:00", "22:00-07:00 ", "-2:00-07:00", "ab:cd-ef:gh"};
    struct quiet_hours quiet;
    cr_assert(quiet_hours_parse("22:30-07:05", &quiet));
    cr_assert(quiet.is_set && quiet.from_min == 22 * 60 + 30 && quiet.to_min == 7 * 60 + 5);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_not(quiet_hours_parse(bad[i], &quiet), "%s", bad[i]);
    cr_expect_eq(quiet.from_min, 22 * 60 + 30, "nothing is written");
    cr_assert(quiet_hours_parse("", &quiet));
    cr_assert_not(quiet.is_set);
}

Test(quiet_hours, until, .fini = local_time_finish)
{
    static const struct {
        const char *quiet, *zone, *now, *end; /* end NULL: not quiet */
    } rows[] = {
        {"22:00-07:00", "Europe/Berlin", "2025-01-15T20:59:59Z", NULL},
        {"22:00-07:00", "Europe/Berlin", "2025-01-15T21:00:00Z", "2025-01-16T06:00:00Z"},
        {"22:00-07:00", "Europe/Berlin", "2025-01-16T05:59:59Z", "2025-01-16T06:00:00Z"},
        {"22:00-07:00", "Europe/Berlin", "2025-01-16T06:00:00Z", NULL},
        {"09:00-17:00", "Europe/Berlin", "2025-01-16T08:30:00Z", "2025-01-16T16:00:00Z"},
        {"09:00-17:00", "Europe/Berlin", "2025-01-16T16:00:00Z", NULL},
        {"07:00-07:00", "Europe/Berlin", "2025-01-16T06:00:00Z", NULL},
        {"22:00-07:00", "", "2025-01-15T23:00:00Z", "2025-01-16T07:00:00Z"},
        {"22:00-07:00", "Mars/Base", "2025-01-15T23:00:00Z", "2025-01-16T07:00:00Z"},
        /* the end of a month and of a year */
        {"22:00-07:00", "Europe/Berlin", "2024-12-31T22:00:00Z", "2025-01-01T06:00:00Z"},
        /* Berlin, 30 March 2025: 02:00 becomes 03:00; the night is an hour shorter */
        {"22:00-07:00", "Europe/Berlin", "2025-03-29T21:00:00Z", "2025-03-30T05:00:00Z"},
        {"22:00-02:30", "Europe/Berlin", "2025-03-29T21:00:00Z", "2025-03-30T01:00:00Z"},
        {"22:00-02:30", "Europe/Berlin", "2025-03-30T00:59:59Z", "2025-03-30T01:00:00Z"},
        {"22:00-02:30", "Europe/Berlin", "2025-03-30T01:00:00Z", NULL},
        {"02:15-02:45", "Europe/Berlin", "2025-03-30T01:00:00Z", NULL},
        /* Berlin, 26 October 2025: 03:00 becomes 02:00; the night is an hour longer */
        {"22:00-07:00", "Europe/Berlin", "2025-10-25T20:00:00Z", "2025-10-26T06:00:00Z"},
        {"22:00-02:30", "Europe/Berlin", "2025-10-25T20:00:00Z", "2025-10-26T01:30:00Z"},
        {"22:00-02:30", "Europe/Berlin", "2025-10-26T00:10:00Z", "2025-10-26T01:30:00Z"},
        {"22:00-02:30", "Europe/Berlin", "2025-10-26T01:10:00Z", "2025-10-26T01:30:00Z"},
        {"22:00-02:30", "Europe/Berlin", "2025-10-26T01:30:00Z", NULL},
        /* St. John's is at -03:30, in summer -02:30: 9 March 2025 and 2 November 2025 */
        {"22:00-07:00", "America/St_Johns", "2025-01-16T01:30:00Z", "2025-01-16T10:30:00Z"},
        {"22:00-07:00", "America/St_Johns", "2025-01-16T01:29:59Z", NULL},
        {"22:00-07:00", "America/St_Johns", "2025-03-09T02:00:00Z", "2025-03-09T09:30:00Z"},
        {"22:00-07:00", "America/St_Johns", "2025-11-02T01:00:00Z", "2025-11-02T10:30:00Z"},
        /* Lord Howe changes by half an hour, from +10:30 to +11:00: 5 October 2025 at 02:00; back on 6 April 2025 */
        {"22:00-07:00", "Australia/Lord_Howe", "2025-10-04T12:00:00Z", "2025-10-04T20:00:00Z"},
        {"22:00-02:15", "Australia/Lord_Howe", "2025-10-04T12:00:00Z", "2025-10-04T15:30:00Z"},
        {"22:00-07:00", "Australia/Lord_Howe", "2025-04-05T12:00:00Z", "2025-04-05T20:30:00Z"},
        {"22:00-01:45", "Australia/Lord_Howe", "2025-04-05T14:35:00Z", "2025-04-05T15:15:00Z"},
        /* Kolkata has half an hour and no summer */
        {"22:00-07:00", "Asia/Kolkata", "2025-07-15T16:30:00Z", "2025-07-16T01:30:00Z"},
        /* Samoa had no 30 December 2011 */
        {"22:00-07:00", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30T17:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct quiet_hours quiet;
        char text[RFC3339_SIZE] = "not quiet";
        cr_assert(quiet_hours_parse(rows[i].quiet, &quiet));
        int64_t end_ms = quiet_until(&quiet, rows[i].zone, at(rows[i].now));
        if (end_ms != 0)
            rfc3339_format(end_ms, text);
        cr_expect_str_eq(text, rows[i].end == NULL ? "not quiet" : rows[i].end, "row %zu, %s in %s at %s: %s", i,
                         rows[i].quiet, rows[i].zone, rows[i].now, text);
    }
}

/* Minute by minute over both changes of a year: the end is later than now, and at the end it is not quiet. */
Test(quiet_hours, the_end_is_an_end, .fini = local_time_finish)
{
    static const char *const zones[] = {"Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"};
    static const char *const nights[] = {"22:00-07:00", "22:00-02:30", "01:30-02:10", "02:00-03:00", "09:00-17:00"};
    static const char *const days[] = {"2025-03-08T12:00:00Z", "2025-03-29T12:00:00Z", "2025-04-05T00:00:00Z",
                                       "2025-10-04T00:00:00Z", "2025-10-25T12:00:00Z", "2025-11-01T12:00:00Z"};
    for (size_t run = 0; run < ARRAY_LEN(zones) * ARRAY_LEN(nights) * ARRAY_LEN(days); run++) {
        const char *zone = zones[run % 3], *night = nights[run / 3 % 5], *day = days[run / 15];
        struct quiet_hours quiet;
        cr_assert(quiet_hours_parse(night, &quiet));
        for (int64_t now_ms = at(day), i = 0; i < 48 * 60; i++, now_ms += 60000) {
            int64_t end_ms = quiet_until(&quiet, zone, now_ms);
            cr_assert(end_ms == 0 || (end_ms > now_ms && end_ms - now_ms <= 10 * 3600000ll), "%s %s %s", zone, night,
                      day);
            cr_assert(end_ms == 0 || quiet_until(&quiet, zone, end_ms) == 0, "%s %s %s", zone, night, day);
        }
    }
}
