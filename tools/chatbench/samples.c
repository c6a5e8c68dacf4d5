#include "samples.h"

#include <stdlib.h>

void samples_add(struct samples *samples, uint64_t microseconds)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity == 0 ? 4096 : samples->capacity * 2;
        samples->values = mem_realloc(samples->values, samples->capacity * sizeof(*samples->values));
    }
    samples->values[samples->count++] = microseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)microseconds;
}

static int compare(const void *left, const void *right)
{
    uint32_t one = *(const uint32_t *)left, other = *(const uint32_t *)right;
    return (one > other) - (one < other);
}

static double at(const struct samples *samples, double share)
{
    size_t index = (size_t)(share * (double)samples->count);
    return samples->values[index < samples->count ? index : samples->count - 1] / 1000.0;
}

void samples_write(struct samples *samples, struct json_writer *json, const char *name)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    if (samples->count > 0)
        qsort(samples->values, samples->count, sizeof(*samples->values), compare);
    json_key(json, name);
    json_begin_object(json);
    for (size_t i = 0; samples->count > 0 && i < ARRAY_LEN(points); i++)
        json_kv_double(json, points[i].name, at(samples, points[i].share), 3);
    json_kv_uint(json, "count", samples->count);
    json_end_object(json);
}

void samples_finish(struct samples *samples)
{
    mem_free(samples->values);
    *samples = (struct samples){0};
}
