#ifndef HANSOM_SAMPLES_H
#define HANSOM_SAMPLES_H
/* Delays in microseconds, all of them kept. */
#include "base/json_writer.h"

struct samples {
    uint32_t *values;
    size_t count, capacity;
};

void samples_add(struct samples *samples, uint64_t microseconds);
/* "<name>_ms":{"p50":…,"p90":…,"p99":…,"max":…,"count":…}; sorts them. */
void samples_write(struct samples *samples, struct json_writer *json, const char *name);
void samples_finish(struct samples *samples);

#endif
