#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "metrics/metrics.h"

enum { FRAMES, CONNECTIONS, LATENCY, SIZES };

static const char *const ops[] = {"connect", "publish", NULL}, *const results[] = {"ok", "a\"b\\c\nd", NULL};
static const double bounds[] = {0.1, 0.5, 1};
static const struct metric_def defs[] = {
    {"hansom_frames_total", METRIC_COUNTER, "Frames,\na \\ and a \".", {{"op", ops}, {"result", results}}, NULL, 0},
    {"hansom_connections", METRIC_GAUGE, "Open connections.", {{NULL, NULL}, {NULL, NULL}}, NULL, 0},
    {"hansom_latency_seconds", METRIC_HISTOGRAM, "Latency.", {{"op", ops}, {NULL, NULL}}, bounds, ARRAY_LEN(bounds)},
    {"hansom_sizes_bytes", METRIC_HISTOGRAM, "Sizes.", {{NULL, NULL}, {NULL, NULL}}, bounds, 1},
};

static struct metrics *metrics;
static struct strbuf out;

static void make(void)
{
    metrics = metrics_create(defs, ARRAY_LEN(defs));
    strbuf_init(&out, 0);
}

static void drop(void)
{
    metrics_destroy(&metrics);
    strbuf_finish(&out);
}

TestSuite(metrics, .init = make, .fini = drop);

static void expect_line(const char *line)
{
    struct strbuf whole;
    strbuf_init(&whole, 0);
    strbuf_appendf(&whole, "\n%s\n", line);
    struct strbuf from_start;
    strbuf_init(&from_start, 0);
    strbuf_appendf(&from_start, "\n%s", out.data);
    cr_assert_not_null(strstr(from_start.data, whole.data), "\"%s\" is not in:\n%s", line, out.data);
    strbuf_finish(&from_start);
    strbuf_finish(&whole);
}

Test(metrics, every_series_is_there_from_the_beginning)
{
    metrics_expose(metrics, &out);
    expect_line("# TYPE hansom_frames_total counter");
    expect_line("hansom_frames_total{op=\"connect\",result=\"ok\"} 0");
    expect_line("hansom_frames_total{op=\"publish\",result=\"ok\"} 0");
    expect_line("# TYPE hansom_connections gauge");
    expect_line("hansom_connections 0");
    expect_line("hansom_latency_seconds_count{op=\"publish\"} 0");
}

Test(metrics, help_and_labels_are_escaped)
{
    metrics_expose(metrics, &out);
    expect_line("# HELP hansom_frames_total Frames,\\na \\\\ and a \".");
    expect_line("hansom_frames_total{op=\"connect\",result=\"a\\\"b\\\\c\\nd\"} 0");
}

Test(metrics, counters_and_gauges)
{
    metrics_add(metrics, FRAMES, 1, 0, 3);
    metrics_add(metrics, FRAMES, 1, 0, 4);
    metrics_gauge_set(metrics, CONNECTIONS, 0, 0, 5);
    metrics_gauge_add(metrics, CONNECTIONS, 0, 0, -7);
    cr_assert_eq(metrics_value(metrics, FRAMES, 1, 0), 7);
    cr_assert_eq(metrics_value(metrics, FRAMES, 0, 0), 0);
    cr_assert_eq(metrics_value(metrics, FRAMES, 1, 1), 0);
    metrics_expose(metrics, &out);
    expect_line("hansom_frames_total{op=\"publish\",result=\"ok\"} 7");
    expect_line("hansom_connections -2");
}

Test(metrics, histograms_are_cumulative_and_bounds_belong_to_their_bucket)
{
    static const double observed[] = {0.05, 0.1, 0.3, 0.5, 1, 2};
    for (size_t i = 0; i < ARRAY_LEN(observed); i++)
        metrics_observe(metrics, LATENCY, 1, 0, observed[i]);
    metrics_expose(metrics, &out);
    expect_line("# TYPE hansom_latency_seconds histogram");
    expect_line("hansom_latency_seconds_bucket{op=\"publish\",le=\"0.1\"} 2");
    expect_line("hansom_latency_seconds_bucket{op=\"publish\",le=\"0.5\"} 4");
    expect_line("hansom_latency_seconds_bucket{op=\"publish\",le=\"1\"} 5");
    expect_line("hansom_latency_seconds_bucket{op=\"publish\",le=\"+Inf\"} 6");
    expect_line("hansom_latency_seconds_sum{op=\"publish\"} 3.95");
    expect_line("hansom_latency_seconds_count{op=\"publish\"} 6");
    expect_line("hansom_latency_seconds_count{op=\"connect\"} 0");
}

Test(metrics, a_large_sum_is_kept)
{
    for (unsigned i = 0; i < 100; i++)
        metrics_observe(metrics, SIZES, 0, 0, 1e9);
    metrics_expose(metrics, &out);
    expect_line("hansom_sizes_bytes_sum 100000000000");
    expect_line("hansom_sizes_bytes_bucket{le=\"0.1\"} 0");
    expect_line("hansom_sizes_bytes_bucket{le=\"+Inf\"} 100");
}

#define ROUNDS 20000

static void *work(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        metrics_add(metrics, FRAMES, 0, 1, 1);
        metrics_observe(metrics, LATENCY, 0, 0, 0.5);
    }
    return NULL;
}

Test(metrics, nothing_is_lost_between_threads)
{
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(metrics_value(metrics, FRAMES, 0, 1), 4 * ROUNDS);
    metrics_expose(metrics, &out);
    expect_line("hansom_latency_seconds_count{op=\"connect\"} 80000");
    expect_line("hansom_latency_seconds_sum{op=\"connect\"} 40000");
}

static double process_value(const char *name)
{
    strbuf_clear(&out);
    metrics_expose_process("sample", &out);
    struct strbuf line;
    strbuf_init(&line, 0);
    strbuf_appendf(&line, "\n%s ", name);
    const char *at = strstr(out.data, line.data);
    cr_assert_not_null(at, "%s is not in:\n%s", name, out.data);
    double value = strtod(at + line.length, NULL);
    strbuf_finish(&line);
    return value;
}

Test(metrics, the_process)
{
    double fds = process_value("process_open_fds");
    int fd = open("/dev/null", O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(process_value("process_open_fds"), fds + 1);
    close(fd);
    cr_assert_gt(process_value("process_resident_memory_bytes"), 500000);
    cr_assert_geq(process_value("process_cpu_seconds_total"), 0);
    cr_assert_geq(process_value("process_threads"), 1);
    double age_s = (double)time(NULL) - process_value("process_start_time_seconds");
    cr_assert(age_s > -60 && age_s < 3600, "%f", age_s);
    expect_line("hansom_build_info{service=\"sample\",version=\"" HANSOM_VERSION "\"} 1");
}

Test(metrics, reference)
{
    metrics_markdown(defs, ARRAY_LEN(defs), &out);
    expect_line("| `hansom_latency_seconds` | histogram | `op` | Latency. |");
}
