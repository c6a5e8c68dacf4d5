#ifndef HANSOM_BACKOFF_H
#define HANSOM_BACKOFF_H
/* Full-jitter exponential back-off: uniform in [0, min(cap, base * 2^attempt)] (AWS architecture blog, 2015). */
#include "base/base.h"

/* attempt counts from 0; returns milliseconds, at least 1. */
uint64_t backoff_full_jitter_ms(uint32_t attempt, uint64_t base_ms, uint64_t cap_ms);

#endif
