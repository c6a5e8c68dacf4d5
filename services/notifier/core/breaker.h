#ifndef HANSOM_BREAKER_H
#define HANSOM_BREAKER_H
/*
 * Circuit breaker of one provider (Nygard, Release It!, 2007): after `failures` provider faults in a row it opens and
 * lets nothing through; after open_ms it lets one attempt through at a time, and closes when one succeeds. The time it
 * stays open doubles with each failed probe up to ten times open_ms. Pure.
 */
#include "base/base.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    unsigned limit, failures, reopened;
    uint64_t open_ms, until_ms;
    enum breaker_state state;
    bool is_probing;
};

void breaker_init(struct breaker *breaker, unsigned failures, uint64_t open_ms);
/* How many attempts may begin now: 0, 1 (a probe), or SIZE_MAX. */
size_t breaker_allowance(struct breaker *breaker, uint64_t now_ms);
/* A probe begins. */
void breaker_note_begin(struct breaker *breaker);
/* What an attempt's end says of the provider. An answer, even a refusal, shows that it works. */
enum breaker_word { BREAKER_WORKS, BREAKER_FAILED, BREAKER_SAYS_NOTHING };
void breaker_note_end(struct breaker *breaker, enum breaker_word word, uint64_t now_ms);

#endif
