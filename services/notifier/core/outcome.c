#include "core/outcome.h"

#include <cJSON.h>

void outcome_accept(struct outcome *outcome, int status, const char *provider_id)
{
    *outcome = (struct outcome){.verdict = VERDICT_ACCEPTED, .failure = FAILURE_none, .status = status};
    if (provider_id != NULL)
        (void)str_copy(outcome->provider_id, sizeof(outcome->provider_id), provider_id);
}

void outcome_reject(struct outcome *outcome, int status, enum failure failure)
{
    *outcome = (struct outcome){.verdict = VERDICT_REJECTED, .failure = failure, .status = status};
}

void outcome_bury(struct outcome *outcome, int status, enum failure failure)
{
    *outcome = (struct outcome){.verdict = VERDICT_DEAD, .failure = failure, .status = status};
}

void outcome_retry(struct outcome *outcome, int status, enum failure failure, uint64_t retry_after_ms)
{
    *outcome = (struct outcome){.verdict = VERDICT_RETRY,
                                .failure = failure,
                                .status = status,
                                .is_provider_fault = true,
                                .retry_after_ms = retry_after_ms};
}

void outcome_of_http(struct outcome *outcome, int status, uint64_t retry_after_ms)
{
    if (status >= 200 && status <= 299)
        outcome_accept(outcome, status, NULL);
    else if (status == 401 || status == 403)
        outcome_retry(outcome, status, FAILURE_unauthorized, retry_after_ms);
    else if (status == 429)
        outcome_retry(outcome, status, FAILURE_rate_limited, retry_after_ms);
    else if (status == 408 || status >= 500)
        outcome_retry(outcome, status, FAILURE_unavailable, retry_after_ms);
    else
        outcome_reject(outcome, status, status == 413 ? FAILURE_too_large : FAILURE_bad_request);
}

const char *json_member_text(const struct cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text == NULL ? "" : text;
}
