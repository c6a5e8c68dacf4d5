#include "report.h"

#include <math.h>

#include "base/json_writer.h"

void report_add_latency(struct report *report, double latency_ms)
{
    if (report->latency_count == report->latency_capacity) {
        report->latency_capacity = report->latency_capacity == 0 ? 4096 : report->latency_capacity * 2;
        report->latencies_ms = mem_realloc(report->latencies_ms, report->latency_capacity * sizeof(double));
    }
    report->latencies_ms[report->latency_count++] = latency_ms;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double report_percentile(struct report *report, double p)
{
    if (report->latency_count == 0)
        return 0;
    qsort(report->latencies_ms, report->latency_count, sizeof(double), compare);
    double rank = ceil(p / 100 * (double)report->latency_count);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return report->latencies_ms[index];
}

bool report_is_good(const struct report *report)
{
    return report->jumps == 0 && report->out_of_order == 0 && report->riders_without_positions == 0 &&
           report->finals_missing == 0 && report->riders > 0;
}

static void write_fields(struct report *report, struct json_writer *json)
{
    json_begin_object(json);
    json_kv_uint(json, "rides", report->rides);
    json_kv_uint(json, "riders", report->riders);
    json_kv_uint(json, "published", report->published);
    json_kv_uint(json, "seen", report->seen);
    json_kv_uint(json, "stale", report->stale);
    json_kv_uint(json, "online", report->online);
    json_kv_uint(json, "jumps", report->jumps);
    json_kv_uint(json, "out_of_order", report->out_of_order);
    json_kv_uint(json, "riders_without_positions", report->riders_without_positions);
    json_kv_uint(json, "final_positions_missing", report->finals_missing);
    json_kv_double(json, "largest_gap_s", report->largest_gap_s, 3);
    json_kv_double(json, "fastest_shown_kmh", report->fastest_kmh, 1);
    json_kv_uint(json, "reconnects", report->reconnects);
    json_kv_uint(json, "errors", report->errors);
    json_kv_uint(json, "latency_samples", report->latency_count);
    json_kv_double(json, "latency_p50_ms", report_percentile(report, 50), 3);
    json_kv_double(json, "latency_p90_ms", report_percentile(report, 90), 3);
    json_kv_double(json, "latency_p99_ms", report_percentile(report, 99), 3);
    json_kv_double(json, "latency_max_ms", report_percentile(report, 100), 3);
    json_kv_bool(json, "good", report_is_good(report));
    json_end_object(json);
}

void report_write(struct report *report, bool as_json, struct strbuf *out)
{
    struct json_writer json;
    json_writer_init(&json, out);
    write_fields(report, &json);
    strbuf_append_char(out, '\n');
    if (as_json)
        return;
    /* The same, a line each. */
    for (char *c = out->data; *c != '\0'; c++)
        if (*c == ',' || *c == '{' || *c == '}')
            *c = '\n';
        else if (*c == '"')
            *c = ' ';
}

void report_finish(struct report *report)
{
    mem_free(report->latencies_ms);
    *report = (struct report){0};
}
