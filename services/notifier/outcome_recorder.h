#ifndef HANSOM_OUTCOME_RECORDER_H
#define HANSOM_OUTCOME_RECORDER_H
/* What became of attempts, into the ledger: in batches, again until it is certain. */
#include "attempt.h"

struct outcome_recorder;

/* An attempt of the dispatcher's is recorded, or (destroyed before) will not be; it is freed afterwards. */
typedef void outcome_recorded_cb(struct dispatcher *dispatcher, const struct attempt *attempt, bool is_recorded);

struct outcome_recorder *outcome_recorder_create(struct notifier *app, outcome_recorded_cb *callback);
void outcome_recorder_destroy(struct outcome_recorder **recorder);
/* The attempt, with its outcome and decision, belongs to the recorder from now on. */
void outcome_recorder_add(struct outcome_recorder *recorder, struct attempt *attempt);

#endif
