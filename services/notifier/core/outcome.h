#ifndef HANSOM_OUTCOME_H
#define HANSOM_OUTCOME_H
/* What an answer means where a provider's own words do not say more. Pure. All of them fill the whole struct. */
#include "notice.h"

struct cJSON;

/* provider_id: cut to what fits; NULL: none. */
void outcome_accept(struct outcome *outcome, int status, const char *provider_id);
void outcome_reject(struct outcome *outcome, int status, enum failure failure);
/* Nothing that goes to this target will ever be taken. */
void outcome_bury(struct outcome *outcome, int status, enum failure failure);
/* It may succeed later, and the provider is at fault. */
void outcome_retry(struct outcome *outcome, int status, enum failure failure, uint64_t retry_after_ms);
/* 2xx accepted; 401, 403, 429, 408 and 5xx again later; 413 too large; all others refused. */
void outcome_of_http(struct outcome *outcome, int status, uint64_t retry_after_ms);

/* A member that is a string, "" if there is none. object may be NULL. */
const char *json_member_text(const struct cJSON *object, const char *name);

#endif
