#ifndef HANSOM_RIDESIM_REPORT_H
#define HANSOM_RIDESIM_REPORT_H
/* What the riders saw, added up. */
#include "base/strbuf.h"

struct report {
    size_t rides, riders, riders_without_positions, finals_missing;
    uint64_t published, seen, stale, online, jumps, out_of_order, reconnects, errors;
    double largest_gap_s, fastest_kmh;
    double *latencies_ms;
    size_t latency_count, latency_capacity;
};

void report_add_latency(struct report *report, double latency_ms);
/* The p-th percentile (0..100), nearest rank; 0 when there is none. Sorts. */
double report_percentile(struct report *report, double p);
/* The invariants: nothing jumped, nothing went back, everybody saw something and the newest in the end. */
bool report_is_good(const struct report *report);
void report_write(struct report *report, bool as_json, struct strbuf *out);
void report_finish(struct report *report);

#endif
