#include <criterion/criterion.h>
#include <string.h>

#include "report.h"

Test(report, percentiles_by_nearest_rank)
{
    struct report report = {0};
    cr_expect_float_eq(report_percentile(&report, 99), 0, 1e-12);
    for (int i = 100; i >= 1; i--)
        report_add_latency(&report, i);
    cr_expect_float_eq(report_percentile(&report, 50), 50, 1e-12);
    cr_expect_float_eq(report_percentile(&report, 90), 90, 1e-12);
    cr_expect_float_eq(report_percentile(&report, 99), 99, 1e-12);
    cr_expect_float_eq(report_percentile(&report, 100), 100, 1e-12);
    cr_expect_float_eq(report_percentile(&report, 0), 1, 1e-12);
    report_finish(&report);
}

Test(report, grows_past_its_first_room)
{
    struct report report = {0};
    for (int i = 0; i < 10000; i++)
        report_add_latency(&report, i);
    cr_expect_eq(report.latency_count, 10000);
    cr_expect_float_eq(report_percentile(&report, 100), 9999, 1e-12);
    report_finish(&report);
}

Test(report, each_invariant_counts)
{
    struct report good = {.riders = 1};
    cr_expect(report_is_good(&good));
    struct report bad[] = {{.riders = 0},
                           {.riders = 1, .jumps = 1},
                           {.riders = 1, .out_of_order = 1},
                           {.riders = 1, .riders_without_positions = 1},
                           {.riders = 1, .finals_missing = 1}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect(!report_is_good(&bad[i]), "%zu", i);
}

Test(report, json_is_one_object)
{
    struct report report = {.riders = 2, .seen = 5};
    struct strbuf out;
    strbuf_init(&out, 64);
    report_write(&report, true, &out);
    cr_expect_eq(out.data[0], '{');
    cr_expect_str_eq(out.data + out.length - 2, "}\n");
    cr_expect_not_null(strstr(out.data, "\"seen\":5"));
    cr_expect_not_null(strstr(out.data, "\"good\":true"));
    strbuf_finish(&out);
}
