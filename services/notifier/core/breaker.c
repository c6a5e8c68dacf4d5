#include "core/breaker.h"

#define OPEN_FACTOR_MAX 10

void breaker_init(struct breaker *breaker, unsigned failures, uint64_t open_ms)
{
    *breaker = (struct breaker){.limit = failures, .open_ms = open_ms, .state = BREAKER_CLOSED};
}

size_t breaker_allowance(struct breaker *breaker, uint64_t now_ms)
{
    if (breaker->state == BREAKER_CLOSED)
        return SIZE_MAX;
    if (breaker->state == BREAKER_OPEN && now_ms < breaker->until_ms)
        return 0;
    breaker->state = BREAKER_HALF_OPEN;
    return breaker->is_probing ? 0 : 1;
}

void breaker_note_begin(struct breaker *breaker)
{
    if (breaker->state == BREAKER_HALF_OPEN)
        breaker->is_probing = true;
}

static void open_for_a_while(struct breaker *breaker, uint64_t now_ms)
{
    uint64_t factor = breaker->reopened < 4 ? 1u << breaker->reopened : OPEN_FACTOR_MAX;
    breaker->state = BREAKER_OPEN;
    breaker->until_ms = now_ms + breaker->open_ms * (factor < OPEN_FACTOR_MAX ? factor : OPEN_FACTOR_MAX);
    breaker->is_probing = false;
}

static void note_fault(struct breaker *breaker, uint64_t now_ms)
{
    if (breaker->state == BREAKER_OPEN)
        return; /* it began before the breaker opened */
    if (breaker->state == BREAKER_HALF_OPEN) {
        breaker->reopened++;
        open_for_a_while(breaker, now_ms);
    } else if (++breaker->failures >= breaker->limit)
        open_for_a_while(breaker, now_ms);
}

void breaker_note_end(struct breaker *breaker, enum breaker_word word, uint64_t now_ms)
{
    switch (word) {
    case BREAKER_WORKS:
        breaker_init(breaker, breaker->limit, breaker->open_ms);
        break;
    case BREAKER_FAILED:
        note_fault(breaker, now_ms);
        break;
    case BREAKER_SAYS_NOTHING:
        breaker->is_probing = false; /* the next one is the probe */
        break;
    }
}
