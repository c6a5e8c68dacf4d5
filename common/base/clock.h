#ifndef HANSOM_CLOCK_H
#define HANSOM_CLOCK_H
/* Time. Pure cores get `now` as an argument; only adapters read these. */
#include "base/base.h"

/* CLOCK_MONOTONIC. */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);
/* CLOCK_REALTIME, milliseconds since 1970. */
int64_t clock_wall_ms(void);

#define RFC3339_SIZE 32
/* "2025-01-01T12:00:00Z", with ".250" when the milliseconds are not zero. buffer of RFC3339_SIZE. Years 1970-9999. */
void rfc3339_format(int64_t unix_ms, char *buffer);
/* Strict RFC 3339 with Z or a numeric offset, 0-9 fraction digits (cut to ms); not terminated input allowed. */
MUST_CHECK bool rfc3339_parse(const char *text, size_t length, int64_t *unix_ms_r);

#endif
