#ifndef HANSOM_LEDGER_TEXT_H
#define HANSOM_LEDGER_TEXT_H
/* Answers of backoffice about notifications as lines for people. Pure; only printable ASCII comes out. */
#include "base/strbuf.h"

struct cJSON;

/* Of GET /v1/notifications/{event_id}: per event its head, its steps, their deliveries, and one line per attempt:
 * number, start, outcome, duration, status, reason, the provider's id. */
void ledger_text_append(struct strbuf *out, const struct cJSON *ledger);
/* Of GET /v1/notifications?state=dead: one line per dead letter. Returns how many. */
size_t dead_text_append(struct strbuf *out, const struct cJSON *page);

#endif
