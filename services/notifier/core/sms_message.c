#include "core/sms_message.h"

#include <cJSON.h>

#include "core/crypto_text.h"
#include "core/outcome.h"

#define VALIDITY_MIN_S 1
#define VALIDITY_MAX_S 36000

void sms_form_build(struct strbuf *out, const struct sms_sender *sender, const struct notice *notice, int64_t now_ms)
{
    int64_t left_s = (notice->expires_ms - now_ms) / 1000;
    int64_t validity_s = left_s < VALIDITY_MIN_S ? VALIDITY_MIN_S : left_s > VALIDITY_MAX_S ? VALIDITY_MAX_S : left_s;
    char validity[24];
    snprintf(validity, sizeof(validity), "%lld", (long long)validity_s);
    form_append(out, "To", notice->target);
    if (sender->messaging_service[0] != '\0')
        form_append(out, "MessagingServiceSid", sender->messaging_service);
    else
        form_append(out, "From", sender->from);
    form_append(out, "Body", notice->body);
    form_append(out, "ValidityPeriod", validity);
    if (sender->status_callback_url[0] != '\0')
        form_append(out, "StatusCallback", sender->status_callback_url);
}

/* Twilio's error codes that say more than the status. */
static const struct {
    int code;
    enum verdict verdict;
    enum failure failure;
} codes[] = {
    {21610, VERDICT_DEAD, FAILURE_opted_out},     /* the recipient sent STOP */
    {21211, VERDICT_DEAD, FAILURE_dead_target},   /* invalid To number */
    {21614, VERDICT_DEAD, FAILURE_dead_target},   /* not a mobile number */
    {21617, VERDICT_REJECTED, FAILURE_too_large}, /* the text is too long */
    {20429, VERDICT_RETRY, FAILURE_rate_limited}, /* too many requests */
    {14107, VERDICT_RETRY, FAILURE_rate_limited}, /* sending rate exceeded */
    {21611, VERDICT_RETRY, FAILURE_rate_limited}, /* the sender's queue is full */
    {20003, VERDICT_RETRY, FAILURE_unauthorized}, /* authentication failed */
    {20005, VERDICT_RETRY, FAILURE_unauthorized}, /* the account is not active */
    {21606, VERDICT_RETRY, FAILURE_unauthorized}, /* From is not a number of ours */
    {21603, VERDICT_RETRY, FAILURE_unauthorized}, /* no From */
    {21703, VERDICT_RETRY, FAILURE_unauthorized}, /* the messaging service has no number */
};

static void judge_error(struct outcome *outcome, int status, int code, uint64_t retry_after_ms)
{
    outcome_of_http(outcome, status, retry_after_ms);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i].code != code)
            continue;
        outcome_retry(outcome, status, codes[i].failure, retry_after_ms);
        outcome->verdict = codes[i].verdict;
        outcome->is_provider_fault = codes[i].verdict == VERDICT_RETRY;
    }
    if (outcome->verdict != VERDICT_RETRY)
        outcome->retry_after_ms = 0;
}

void sms_judge(struct outcome *outcome, int status, const char *body, uint64_t retry_after_ms)
{
    cJSON *answer = cJSON_Parse(body);
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(answer, "code");
    if (status >= 200 && status <= 299)
        outcome_accept(outcome, status, json_member_text(answer, "sid"));
    else
        judge_error(outcome, status, cJSON_IsNumber(code) ? code->valueint : 0, retry_after_ms);
    cJSON_Delete(answer);
}
