#ifndef HANSOM_RANDOM_SEQUENCE_H
#define HANSOM_RANDOM_SEQUENCE_H
/* The same pseudo-random numbers at every run, so that a property that fails fails again (xorshift64, Marsaglia). */
#include <stdint.h>

static inline uint64_t sequence_below(uint64_t *state, uint64_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % bound;
}

#endif
