#include "core/notification_rules.h"

#include <string.h>

#include "core/json_fields.h"

#define DEAD_LIMIT 50
#define DEAD_LIMIT_MAX 200
#define REPLAY_LIMIT 1000
#define CHANNEL_LENGTH_MAX 16
#define STEP_PUSH 1

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Which ones there are is the notifier's to know. */
static bool channel_is_well_formed(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    return length >= 1 && length <= CHANNEL_LENGTH_MAX && text[length] == '\0';
}

static bool fail_channel(struct field_error *error)
{
    return field_fail(error, "channel: must be the name of a channel (fcm, apns, webpush, sms, email, webhook)");
}

bool ledger_request_read(const struct query *query, Hansom__LedgerRequest *request_r, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    hansom__ledger_request__init(request_r);
    const char *user_id = query_get(query, "user_id");
    if (user_id == NULL)
        return true;
    request_r->user_id = (char *)user_id;
    return is_id(user_id) || field_fail(&why, "user_id: must be 1 to 64 of A-Z a-z 0-9 _ -");
}

bool dead_request_read(const struct query *query, Hansom__DeadRequest *request_r, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    hansom__dead_request__init(request_r);
    const char *state = query_get(query, "state"), *channel = query_get(query, "channel");
    if (!str_equal(state, "dead"))
        return field_fail(&why, state == NULL ? "state: is needed" : "state: must be dead");
    if (channel != NULL && !channel_is_well_formed(channel))
        return fail_channel(&why);
    uint64_t before = 0, limit = DEAD_LIMIT;
    if (!query_uint(query, "before", 1, INT64_MAX, &before, error, error_size) ||
        !query_uint(query, "limit", 1, DEAD_LIMIT_MAX, &limit, error, error_size))
        return false;
    if (channel != NULL)
        request_r->channel = (char *)channel;
    request_r->before_delivery_id = before;
    request_r->limit = (uint32_t)limit;
    return true;
}

bool replay_request_read(const struct cJSON *body, Hansom__ReplayRequest *request_r, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    hansom__replay_request__init(request_r);
    const char *channel = NULL;
    int64_t limit = REPLAY_LIMIT;
    if (!field_text(body, "channel", FIELD_REQUIRED, &channel, &why))
        return false;
    if (!channel_is_well_formed(channel))
        return fail_channel(&why);
    if (!field_int(body, "limit", 1, REPLAY_MAX, &limit, &why))
        return false;
    request_r->channel = (char *)channel;
    request_r->limit = (uint32_t)limit;
    return true;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    if (*text != '\0')
        json_kv_string(json, name, text);
}

static void write_time(struct json_writer *json, const char *name, int64_t unix_ms)
{
    if (unix_ms > 0)
        json_kv_time(json, name, unix_ms);
}

static void write_attempt(struct json_writer *json, const Hansom__LedgerAttempt *attempt)
{
    json_begin_object(json);
    json_kv_uint(json, "number", attempt->number);
    json_kv_string(json, "outcome", attempt->outcome);
    write_text(json, "reason", attempt->reason);
    if (attempt->status > 0)
        json_kv_uint(json, "status", attempt->status);
    write_text(json, "provider_id", attempt->provider_id);
    json_kv_time(json, "started_at", attempt->started_at_ms);
    json_key(json, "ended_at");
    if (attempt->ended_at_ms > 0)
        json_time(json, attempt->ended_at_ms);
    else
        json_null(json);
    json_end_object(json);
}

static void write_delivery_fields(struct json_writer *json, const Hansom__LedgerDelivery *delivery)
{
    json_kv_uint(json, "delivery_id", delivery->delivery_id);
    json_kv_uint(json, "step", delivery->step);
    json_kv_string(json, "channel", delivery->channel);
    write_text(json, "device_id", delivery->device_id);
    json_kv_string(json, "state", delivery->state);
    write_text(json, "reason", delivery->reason);
    write_time(json, "due_at", delivery->due_at_ms);
    write_time(json, "delivered_at", delivery->delivered_at_ms);
}

static void write_delivery(struct json_writer *json, const Hansom__LedgerDelivery *delivery)
{
    json_begin_object(json);
    write_delivery_fields(json, delivery);
    json_key(json, "attempts");
    json_begin_array(json);
    for (size_t i = 0; i < delivery->n_attempts; i++)
        write_attempt(json, delivery->attempts[i]);
    json_end_array(json);
    json_end_object(json);
}

static void write_step(struct json_writer *json, const Hansom__LedgerStep *step)
{
    json_begin_object(json);
    json_kv_uint(json, "step", step->step);
    json_kv_string(json, "kind", step->step == STEP_PUSH ? "push" : "contact");
    json_kv_string(json, "state", step->state);
    write_text(json, "reason", step->reason);
    write_time(json, "due_at", step->due_at_ms);
    json_end_object(json);
}

static void write_event(struct json_writer *json, const Hansom__LedgerEvent *event)
{
    json_begin_object(json);
    json_kv_string(json, "user_id", event->user_id);
    json_kv_string(json, "event_id", event->event_id);
    json_kv_string(json, "type", event->type);
    json_kv_bool(json, "critical", event->critical);
    json_kv_string(json, "policy", event->policy);
    json_kv_time(json, "created_at", event->created_at_ms);
    write_time(json, "expires_at", event->expires_at_ms);
    write_time(json, "acknowledged_at", event->acknowledged_at_ms);
    json_key(json, "steps");
    json_begin_array(json);
    for (size_t i = 0; i < event->n_steps; i++)
        write_step(json, event->steps[i]);
    json_end_array(json);
    json_key(json, "deliveries");
    json_begin_array(json);
    for (size_t i = 0; i < event->n_deliveries; i++)
        write_delivery(json, event->deliveries[i]);
    json_end_array(json);
    json_end_object(json);
}

void ledger_write(struct json_writer *json, const Hansom__LedgerReply *reply)
{
    json_begin_object(json);
    json_key(json, "events");
    json_begin_array(json);
    for (size_t i = 0; i < reply->n_events; i++)
        write_event(json, reply->events[i]);
    json_end_array(json);
    json_end_object(json);
}

static void write_letter(struct json_writer *json, const Hansom__DeadLetter *letter)
{
    json_begin_object(json);
    json_kv_string(json, "user_id", letter->user_id);
    json_kv_string(json, "event_id", letter->event_id);
    json_kv_string(json, "type", letter->type);
    if (letter->delivery != NULL)
        write_delivery_fields(json, letter->delivery);
    json_end_object(json);
}

void dead_write(struct json_writer *json, const Hansom__DeadReply *reply)
{
    const Hansom__LedgerDelivery *last =
        reply->has_more && reply->n_letters > 0 ? reply->letters[reply->n_letters - 1]->delivery : NULL;
    json_begin_object(json);
    json_key(json, "notifications");
    json_begin_array(json);
    for (size_t i = 0; i < reply->n_letters; i++)
        write_letter(json, reply->letters[i]);
    json_end_array(json);
    json_key(json, "before");
    if (last != NULL)
        json_uint(json, last->delivery_id);
    else
        json_null(json);
    json_kv_bool(json, "has_more", reply->has_more);
    json_end_object(json);
}
