#ifndef HANSOM_METRICS_H
#define HANSOM_METRICS_H
/*
 * Metrics from a table, exposed in the Prometheus text format 0.0.4. Values are atomics: any thread adds, the admin
 * port's thread reads. Up to two labels with a fixed list of values each, so a series can never be made by a client.
 */
#include "base/strbuf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
    const char *name;          /* NULL: no such label */
    const char *const *values; /* NULL-terminated */
};

struct metric_def {
    const char *name; /* full: hansom_gateway_connections_total */
    enum metric_kind kind;
    const char *help;
    struct metric_label labels[2];
    const double *buckets; /* histogram: ascending upper bounds, unit of the name; NULL-less, see bucket_count */
    size_t bucket_count;
};

/* Upper bounds in seconds for latencies, 100 µs to 10 s. */
extern const double METRIC_LATENCY_SECONDS[];
extern const size_t METRIC_LATENCY_SECONDS_COUNT;

struct metrics;

/* The table must outlive it. The index of a row is the metric's id: keep an enum in the same order (X-macro). */
struct metrics *metrics_create(const struct metric_def *defs, size_t count);
void metrics_destroy(struct metrics **metrics);
/* label indexes are 0 where the metric has no such label; out of range is an assert. */
void metrics_add(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, uint64_t amount);
void metrics_gauge_set(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, int64_t value);
void metrics_gauge_add(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, int64_t delta);
void metrics_observe(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, double value);
/* Current value of a counter or gauge, for tests and for decisions. */
int64_t metrics_value(const struct metrics *metrics, unsigned id, unsigned label0, unsigned label1);

/* Appends all series. */
void metrics_expose(const struct metrics *metrics, struct strbuf *out);
/* Appends process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, process_start_time_seconds,
 * process_threads and hansom_build_info of this process (Prometheus' standard names). */
void metrics_expose_process(const char *service, struct strbuf *out);
/* Markdown rows for docs/metrics.md. */
void metrics_markdown(const struct metric_def *defs, size_t count, struct strbuf *out);

#endif
