#include <criterion/criterion.h>

#include "trace.h"

static bool read_csv(const char *text, struct trace_list *list, struct strbuf *error)
{
    char *copy = mem_strdup(text);
    bool is_good = trace_read_csv("t.csv", copy, list, error);
    mem_free(copy);
    return is_good;
}

static void check_csv_error(const char *text, const char *expected)
{
    struct trace_list list = {0};
    struct strbuf error;
    strbuf_init(&error, 64);
    cr_expect(!read_csv(text, &list, &error), "%s", text);
    cr_expect_eq(strncmp(error.data, expected, strlen(expected)), 0, "%s: %s", expected, error.data);
    trace_list_finish(&list);
    strbuf_finish(&error);
}

Test(trace, csv_with_two_trips)
{
    struct trace_list list = {0};
    struct strbuf error;
    strbuf_init(&error, 64);
    cr_assert(read_csv("trip,lat,lng,unix_time\n7,46.5,-7.25,1000\r\n7,46.6,-7.25,1001.5\n8,-1,2,5\n", &list, &error));
    cr_assert_eq(list.count, 2);
    cr_assert_eq(list.traces[0].count, 2);
    cr_expect_float_eq(list.traces[0].points[0].lat, 46.5, 1e-12);
    cr_expect_float_eq(list.traces[0].points[0].lng, -7.25, 1e-12);
    cr_expect_eq(list.traces[0].points[1].time_ms, 1001500);
    cr_expect_eq(list.traces[1].count, 1);
    trace_list_finish(&list);
    strbuf_finish(&error);
}

Test(trace, csv_errors_name_file_and_line)
{
    check_csv_error("", "t.csv:1: holds no points");
    check_csv_error("trip,lat,lng,unix_time\n", "t.csv:");
    check_csv_error("trip,lat,lng,unix_time\n1,46,7,1\n1,91,7,2\n", "t.csv:3: lat");
    check_csv_error("trip,lat,lng,unix_time\n1,46,x,1\n", "t.csv:2: lng");
    check_csv_error("trip,lat,lng,unix_time\n1,46,181,1\n", "t.csv:2: lng");
    check_csv_error("trip,lat,lng,unix_time\n1,46,nan,1\n", "t.csv:2: lng");
    check_csv_error("trip,lat,lng,unix_time\n1,46,7\n", "t.csv:2: unix_time");
    check_csv_error("trip,lat,lng,unix_time\n1,46,7,1,\n", "t.csv:2: a fifth field");
    check_csv_error("trip,lat,lng,unix_time\n1,46,7,5\n1,46,7,4\n", "t.csv:3: unix_time: goes back");
}

static void check_gpx_error(const char *text, const char *expected)
{
    struct trace_list list = {0};
    struct strbuf error;
    strbuf_init(&error, 64);
    cr_expect(!trace_read_gpx("t.gpx", text, &list, &error), "%s", text);
    cr_expect_eq(strncmp(error.data, expected, strlen(expected)), 0, "%s: %s", expected, error.data);
    trace_list_finish(&list);
    strbuf_finish(&error);
}

Test(trace, gpx_points)
{
    static const char text[] =
        "<gpx><trk><trkseg>\n"
        "<trkpt lat=\"46.5\" lon=\"7.25\"><ele>3</ele><time>2025-01-01T00:00:00Z</time></trkpt>\n"
        "<trkpt lat=\"46.6\" lon=\"7.26\"><time>2025-01-01T00:00:01.5Z</time></trkpt>\n"
        "</trkseg></trk></gpx>\n";
    struct trace_list list = {0};
    struct strbuf error;
    strbuf_init(&error, 64);
    cr_assert(trace_read_gpx("t.gpx", text, &list, &error), "%s", error.data);
    cr_assert_eq(list.count, 1);
    cr_assert_eq(list.traces[0].count, 2);
    cr_expect_float_eq(list.traces[0].points[1].lng, 7.26, 1e-12);
    cr_expect_eq(list.traces[0].points[1].time_ms - list.traces[0].points[0].time_ms, 1500);
    trace_list_finish(&list);
    strbuf_finish(&error);
}

Test(trace, gpx_errors_name_file_and_line)
{
    check_gpx_error("<gpx></gpx>", "t.gpx:1: holds no track points");
    check_gpx_error("<gpx>\n<trkpt lat=\"46\" lon=\"7\"></trkpt></gpx>", "t.gpx:2: trkpt");
    check_gpx_error("<gpx>\n\n<trkpt lat=\"96\" lon=\"7\"><time>2025-01-01T00:00:00Z</time></trkpt></gpx>",
                    "t.gpx:3: trkpt");
    check_gpx_error("<trkpt lat=\"6\" lon=\"7\"><time>yesterday</time></trkpt>", "t.gpx:1: trkpt");
    check_gpx_error("<trkpt lat=\"6\" lon=\"7\"><time>2025-01-01T00:00:00Z</time>", "t.gpx:1: trkpt");
    check_gpx_error("<trkpt lat=\"6\" lon=\"7\"><time>2025-01-01T00:00:01Z</time></trkpt>\n"
                    "<trkpt lat=\"6\" lon=\"7\"><time>2025-01-01T00:00:00Z</time></trkpt>",
                    "t.gpx:2: time: goes back");
}

Test(trace, file_by_its_ending)
{
    struct trace_list list = {0};
    struct strbuf error;
    strbuf_init(&error, 64);
    cr_expect(!trace_read_file("/nonexistent/trace.csv", &list, &error));
    cr_expect_not_null(strstr(error.data, "/nonexistent/trace.csv"));
    trace_list_finish(&list);
    strbuf_finish(&error);
}
