#include "base/backoff.h"

#include "base/ids.h"

uint64_t backoff_full_jitter_ms(uint32_t attempt, uint64_t base_ms, uint64_t cap_ms)
{
    uint64_t ceiling = attempt >= 32 ? cap_ms : base_ms << attempt;
    if (ceiling > cap_ms)
        ceiling = cap_ms;
    return ceiling == 0 ? 1 : 1 + random_below(ceiling);
}
