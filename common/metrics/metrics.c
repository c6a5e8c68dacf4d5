#include "metrics/metrics.h"

#include <stdatomic.h>

const double METRIC_LATENCY_SECONDS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
const size_t METRIC_LATENCY_SECONDS_COUNT = ARRAY_LEN(METRIC_LATENCY_SECONDS);

struct series_set {
    unsigned label_counts[2];
    size_t first_cell; /* of this metric's cells */
    size_t cells_per_series;
};

struct metrics {
    const struct metric_def *defs;
    size_t count;
    struct series_set *sets;
    _Atomic int64_t *cells; /* counter, gauge: one; histogram: buckets, +Inf, bits of the sum as a double */
};

static unsigned label_count(const struct metric_label *label)
{
    unsigned count = 0;
    while (label->name != NULL && label->values[count] != NULL)
        count++;
    return count == 0 ? 1 : count;
}

struct metrics *metrics_create(const struct metric_def *defs, size_t count)
{
    struct metrics *metrics = mem_alloc(sizeof(*metrics));
    metrics->defs = defs;
    metrics->count = count;
    metrics->sets = mem_alloc((count + 1) * sizeof(*metrics->sets));
    size_t cells = 0;
    for (size_t i = 0; i < count; i++) {
        struct series_set *set = &metrics->sets[i];
        for (size_t l = 0; l < 2; l++)
            set->label_counts[l] = label_count(&defs[i].labels[l]);
        set->first_cell = cells;
        set->cells_per_series = defs[i].kind == METRIC_HISTOGRAM ? defs[i].bucket_count + 2 : 1;
        cells += set->cells_per_series * set->label_counts[0] * set->label_counts[1];
    }
    metrics->cells = mem_alloc((cells + 1) * sizeof(*metrics->cells));
    return metrics;
}

void metrics_destroy(struct metrics **metrics_pointer)
{
    struct metrics *metrics = *metrics_pointer;
    *metrics_pointer = NULL;
    if (metrics == NULL)
        return;
    mem_free(metrics->sets);
    mem_free(metrics->cells);
    mem_free(metrics);
}

static _Atomic int64_t *series(const struct metrics *metrics, unsigned id, unsigned label0, unsigned label1)
{
    ASSERT(id < metrics->count);
    const struct series_set *set = &metrics->sets[id];
    ASSERT(label0 < set->label_counts[0] && label1 < set->label_counts[1]);
    size_t index = (size_t)label0 * set->label_counts[1] + label1;
    return &metrics->cells[set->first_cell + index * set->cells_per_series];
}

static void cell_add(_Atomic int64_t *cell, int64_t amount)
{
    atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
}

static int64_t cell_get(const _Atomic int64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static double sum_of(int64_t bits)
{
    double sum;
    memcpy(&sum, &bits, sizeof(sum));
    return sum;
}

static void sum_add(_Atomic int64_t *cell, double amount)
{
    int64_t old_bits = cell_get(cell), new_bits;
    do {
        double sum = sum_of(old_bits) + amount;
        memcpy(&new_bits, &sum, sizeof(new_bits));
    } while (
        !atomic_compare_exchange_weak_explicit(cell, &old_bits, new_bits, memory_order_relaxed, memory_order_relaxed));
}

void metrics_add(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, uint64_t amount)
{
    cell_add(series(metrics, id, label0, label1), (int64_t)amount);
}

void metrics_gauge_set(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, int64_t value)
{
    atomic_store_explicit(series(metrics, id, label0, label1), value, memory_order_relaxed);
}

void metrics_gauge_add(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, int64_t delta)
{
    cell_add(series(metrics, id, label0, label1), delta);
}

void metrics_observe(struct metrics *metrics, unsigned id, unsigned label0, unsigned label1, double value)
{
    const struct metric_def *def = &metrics->defs[id];
    _Atomic int64_t *cells = series(metrics, id, label0, label1);
    size_t bucket = 0;
    while (bucket < def->bucket_count && value > def->buckets[bucket])
        bucket++;
    cell_add(&cells[bucket], 1);
    sum_add(&cells[def->bucket_count + 1], value);
}

int64_t metrics_value(const struct metrics *metrics, unsigned id, unsigned label0, unsigned label1)
{
    return cell_get(series(metrics, id, label0, label1));
}

/* Backslash and line feed, in a label's value the quote too (exposition format 0.0.4). */
static void append_escaped(const char *text, bool is_label, struct strbuf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '\n' || (is_label && *text == '"'))
            strbuf_append_char(out, '\\');
        strbuf_append_char(out, *text == '\n' ? 'n' : *text);
    }
}

static void append_labels(const struct metric_def *def, const unsigned labels[2], const char *le, struct strbuf *out)
{
    char separator = '{';
    for (size_t l = 0; l < 2; l++) {
        if (def->labels[l].name == NULL)
            continue;
        strbuf_appendf(out, "%c%s=\"", separator, def->labels[l].name);
        append_escaped(def->labels[l].values[labels[l]], true, out);
        strbuf_append_char(out, '"');
        separator = ',';
    }
    if (le != NULL) {
        strbuf_appendf(out, "%cle=\"%s\"", separator, le);
        separator = ',';
    }
    if (separator == ',')
        strbuf_append_char(out, '}');
}

static void expose_histogram(const struct metric_def *def, const _Atomic int64_t *cells, const unsigned labels[2],
                             struct strbuf *out)
{
    int64_t cumulative = 0;
    for (size_t b = 0; b <= def->bucket_count; b++) {
        char le[32] = "+Inf";
        if (b < def->bucket_count)
            snprintf(le, sizeof(le), "%.10g", def->buckets[b]);
        cumulative += cell_get(&cells[b]);
        strbuf_appendf(out, "%s_bucket", def->name);
        append_labels(def, labels, le, out);
        strbuf_appendf(out, " %lld\n", (long long)cumulative);
    }
    strbuf_appendf(out, "%s_sum", def->name);
    append_labels(def, labels, NULL, out);
    strbuf_appendf(out, " %.15g\n", sum_of(cell_get(&cells[def->bucket_count + 1])));
    strbuf_appendf(out, "%s_count", def->name);
    append_labels(def, labels, NULL, out);
    strbuf_appendf(out, " %lld\n", (long long)cumulative);
}

static void expose_series(const struct metrics *metrics, unsigned id, const unsigned labels[2], struct strbuf *out)
{
    const struct metric_def *def = &metrics->defs[id];
    const _Atomic int64_t *cells = series(metrics, id, labels[0], labels[1]);
    if (def->kind == METRIC_HISTOGRAM) {
        expose_histogram(def, cells, labels, out);
        return;
    }
    strbuf_append_string(out, def->name);
    append_labels(def, labels, NULL, out);
    strbuf_appendf(out, " %lld\n", (long long)cell_get(cells));
}

static const char *kind_name(enum metric_kind kind)
{
    static const char *const names[] = {"counter", "gauge", "histogram"};
    return names[kind];
}

void metrics_expose(const struct metrics *metrics, struct strbuf *out)
{
    for (unsigned id = 0; id < metrics->count; id++) {
        const struct metric_def *def = &metrics->defs[id];
        strbuf_appendf(out, "# HELP %s ", def->name);
        append_escaped(def->help, false, out);
        strbuf_appendf(out, "\n# TYPE %s %s\n", def->name, kind_name(def->kind));
        for (unsigned a = 0; a < metrics->sets[id].label_counts[0]; a++)
            for (unsigned b = 0; b < metrics->sets[id].label_counts[1]; b++)
                expose_series(metrics, id, (const unsigned[]){a, b}, out);
    }
}

void metrics_markdown(const struct metric_def *defs, size_t count, struct strbuf *out)
{
    strbuf_append_string(out, "| metric | type | labels | what |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        strbuf_appendf(out, "| `%s` | %s | ", defs[i].name, kind_name(defs[i].kind));
        for (size_t l = 0; l < 2; l++)
            if (defs[i].labels[l].name != NULL)
                strbuf_appendf(out, "%s`%s`", l > 0 ? ", " : "", defs[i].labels[l].name);
        strbuf_appendf(out, " | %s |\n", defs[i].help);
    }
}
