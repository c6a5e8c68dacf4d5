/* What the SMS provider says later about a message that it has taken: delivered, or not. */
#include "base/clock.h"
#include "core/ledger_states.h"
#include "core/sms_status.h"
#include "log/log.h"
#include "request.h"

#define ERROR_OPTED_OUT 21610 /* Twilio: the person answered STOP */

/* Only what was accepted may become something else: callbacks come twice and in any order. Whoever has opted out is
 * sent nothing more to that number, unless it was given again since. Parameters: the provider's id, state, reason, now,
 * the reason that means opted out. */
static const char note_sql[] =
    "WITH noted AS (UPDATE notify.deliveries d SET state = $2::smallint, reason = $3, "
    "delivered_ms = CASE WHEN $2::smallint = 3 THEN $4::bigint END FROM notify.attempts a "
    "WHERE a.provider_id = $1 AND a.provider_id ~ '^(SM|MM)' AND d.delivery_id = a.delivery_id AND d.channel = 4 "
    "AND d.state = 2 RETURNING d.event_key, d.state, d.reason = $5 AS has_opted_out, a.started_ms), "
    "gone AS (UPDATE notify.contacts c SET phone_dead_ms = $4::bigint FROM noted n, notify.events e "
    "WHERE n.has_opted_out AND e.event_key = n.event_key AND c.user_id = e.user_id AND c.phone_dead_ms IS NULL "
    "AND c.updated_ms <= n.started_ms) "
    "SELECT state, has_opted_out FROM noted";

/* What changes nothing is not counted. */
static void count(struct metrics *metrics, const struct pg_result *result)
{
    for (size_t row = 0; row < pg_row_count(result); row++) {
        unsigned state = (unsigned)pg_value_int(result, row, 0);
        bool has_opted_out = *pg_value(result, row, 1) == 't';
        if (has_opted_out)
            metrics_add(metrics, METRIC_NOTIFY_DEAD_TARGETS, CHANNEL_SMS, 0, 1);
        if (state == DELIVERY_rejected)
            metrics_add(metrics, METRIC_NOTIFY_FAILED, CHANNEL_SMS,
                        has_opted_out ? FAILURE_opted_out : FAILURE_undelivered, 1);
        metrics_add(metrics, METRIC_NOTIFY_ENDED, CHANNEL_SMS, state, 1);
    }
}

static void on_noted(void *context, enum pg_status status, const struct pg_result *result)
{
    struct request *request = context;
    if (!request_query_done(request, status, result))
        return;
    count(request->app->metrics, result);
    LOG_DEBUG("sms_status", LOG_INT("deliveries", pg_affected(result)));
    request_answer(request);
}

static void note(struct request *request, const struct sms_status *status, enum delivery_state state,
                 enum failure failure)
{
    char number[NUMBER_SIZE], now[NUMBER_SIZE];
    const char *const parameters[] = {status->message_id, number_text(number, state),
                                      failure == FAILURE_none ? "" : failure_names[failure],
                                      number_text(now, clock_wall_ms()), failure_names[FAILURE_opted_out]};
    request_query(request, note_sql, ARRAY_LEN(parameters), parameters, on_noted);
}

void request_sms_status(struct request *request, const void *message)
{
    const Hansom__SmsStatus *posted = message;
    const struct notifier_settings *settings = request->app->settings;
    size_t length = strlen(posted->body);
    struct sms_status status;
    if (*settings->sms_auth_token == '\0' ||
        !sms_signature_is_valid(settings->sms_auth_token, settings->sms_status_callback_url, posted->body, length,
                                posted->signature))
        request_refuse(request, ERROR_forbidden, "X-Twilio-Signature: is not that of our provider");
    else if (!sms_status_parse(posted->body, length, &status))
        request_refuse(request, ERROR_bad_request, "body: MessageSid and MessageStatus are needed");
    else if (str_equal(status.status, "delivered"))
        note(request, &status, DELIVERY_delivered, FAILURE_none);
    else if (str_equal(status.status, "undelivered") || str_equal(status.status, "failed"))
        note(request, &status, DELIVERY_rejected,
             status.error_code == ERROR_OPTED_OUT ? FAILURE_opted_out : FAILURE_undelivered);
    else
        request_answer(request); /* on its way */
}
