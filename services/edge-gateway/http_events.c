/* GET /v1/me/events and POST /v1/me/events/ack: what a user's socket would tell and take, for apps without one. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/clock.h"
#include "channel_items.h"
#include "event_acks.h"
#include "http_api_priv.h"
#include "http_page.h"
#include "log/log.h"
#include "proto/subjects.h"

#define STREAM "EVENTS"

/* False: answered already. */
static bool may_read_own_events(struct http_exchange *exchange, struct channel_name *channel_r)
{
    char text[CHANNEL_NAME_SIZE];
    int length = snprintf(text, sizeof(text), SUBJECT_EVENTS, exchange->principal->user_id);
    if (channel_parse(text, (size_t)length, channel_r) &&
        principal_may(exchange->principal, "subscribe", channel_r->text))
        return true;
    http_fail(exchange, ERROR_forbidden, "not in the token's scopes");
    return false;
}

/* --- GET /v1/me/events -------------------------------------------------------------------------------------------- */

static void write_event(struct http_exchange *exchange, const struct bus_message *message)
{
    struct http_events *events = &exchange->events;
    Hansom__UserEvent *event = hansom__user_event__unpack(NULL, message->length, message->data);
    if (event == NULL) {
        LOG_WARN("item_not_understood", LOG_STR("channel", events->channel.text));
        return;
    }
    uint64_t previous = events->shown > 0      ? events->shown
                        : events->is_recovered ? exchange->page.sequence
                                               : UNKNOWN_SEQUENCE;
    channel_begin_message(&events->json, &events->channel, false);
    channel_write_place(&events->json, events->epoch, message->sequence, previous);
    json_key(&events->json, "data");
    expiring_write_event(&exchange->ready.expiring, &events->json, event, clock_wall_ms());
    json_end_object(&events->json);
    events->shown = message->sequence;
    events->count++;
    hansom__user_event__free_unpacked(event, NULL);
}

/* `after` is where to go on, now or later: with nothing new it is the one that was given. */
static void finish_page(struct http_exchange *exchange, bool has_more)
{
    struct http_events *events = &exchange->events;
    char cursor[HTTP_CURSOR_SIZE];
    http_cursor_format(cursor, events->epoch, events->last);
    json_end_array(&events->json);
    json_kv_string(&events->json, "after", events->last > 0 ? cursor : NULL);
    json_kv_bool(&events->json, "has_more", has_more);
    json_kv_bool(&events->json, "recovered", events->is_recovered);
    json_end_object(&events->json);
    http_answer_soon(exchange, 200, JSON_TYPE);
}

/* What is there still has everything after it: limits take away the oldest first. So the item at the cursor proves that
 * nothing is missing. */
static bool on_event(void *context, const struct bus_message *message)
{
    struct http_exchange *exchange = context;
    struct http_events *events = &exchange->events;
    if (message->sequence == exchange->page.sequence) {
        events->is_recovered = true;
        return true;
    }
    if (events->count == exchange->page.limit) {
        events->walk = NULL;
        finish_page(exchange, true);
        return false;
    }
    write_event(exchange, message);
    events->last = message->sequence;
    return true;
}

static void on_events_done(void *context, enum bus_status status)
{
    struct http_exchange *exchange = context;
    exchange->events.walk = NULL;
    if (status == BUS_OK)
        finish_page(exchange, false);
    else
        http_fail_bus(exchange);
}

static void start_page(struct http_exchange *exchange, const struct channel_name *channel)
{
    struct http_events *events = &exchange->events;
    char subject[CHANNEL_SUBJECT_SIZE];
    if (exchange->page.epoch != events->epoch)
        exchange->page.sequence = 0; /* of other events: from the beginning */
    events->channel = *channel;
    events->last = exchange->page.sequence;
    json_writer_init(&events->json, &exchange->ready.body);
    json_begin_object(&events->json);
    json_key(&events->json, "messages");
    json_begin_array(&events->json);
    channel_history_subject(channel, subject);
    events->walk =
        bus_walk_start(exchange->gateway->bus, STREAM, subject,
                       exchange->page.sequence > 0 ? exchange->page.sequence : 1, on_event, on_events_done, exchange);
}

void http_get_my_events(struct http_exchange *exchange, const struct http_request *request)
{
    struct channel_name channel;
    const char *after = http_query(request, "after");
    exchange->events.epoch = bus_stream_epoch(exchange->gateway->bus, STREAM);
    if (after != NULL && !http_cursor_parse(after, &exchange->page.epoch, &exchange->page.sequence))
        http_fail(exchange, ERROR_bad_request, "after: not a cursor of this server");
    else if (!http_limit_parse(request, HTTP_PAGE_DEFAULT, HTTP_PAGE_MAX, &exchange->page.limit))
        http_fail(exchange, ERROR_bad_request, "limit: must be a number from 1 to 200");
    else if (!may_read_own_events(exchange, &channel))
        return;
    else if (exchange->events.epoch == 0)
        http_fail_bus(exchange);
    else
        start_page(exchange, &channel);
}

/* --- POST /v1/me/events/ack --------------------------------------------------------------------------------------- */

static void on_ack_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct http_exchange *exchange = context;
    (void)ack;
    exchange->request = NULL;
    if (status == BUS_OK)
        http_answer_soon(exchange, 204, NULL);
    else
        http_fail_bus(exchange);
}

static void on_last(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct http_exchange *exchange = context;
    exchange->request = NULL;
    uint64_t last = status == BUS_OK ? reply->sequence : 0;
    if (status != BUS_OK && status != BUS_NOT_FOUND)
        http_fail_bus(exchange);
    else if (exchange->page.sequence > last)
        http_fail(exchange, ERROR_bad_request, "seq: is above the last event");
    else
        exchange->request = event_ack_store(exchange->gateway->bus, exchange->principal->user_id, exchange->page.epoch,
                                            exchange->page.sequence, on_ack_stored, exchange);
}

void http_post_my_events_ack(struct http_exchange *exchange, const struct http_request *request)
{
    struct channel_name channel;
    char error[160];
    uint64_t current = bus_stream_epoch(exchange->gateway->bus, STREAM);
    cJSON *root = json_object_parse(request->body, request->body_length);
    bool is_good = event_ack_decode(root, &exchange->page.epoch, &exchange->page.sequence, error, sizeof(error));
    cJSON_Delete(root);
    if (!is_good)
        http_fail(exchange, ERROR_bad_request, error);
    else if (!may_read_own_events(exchange, &channel))
        return;
    else if (current == 0)
        http_fail_bus(exchange);
    else if (exchange->page.epoch != 0 && exchange->page.epoch != current)
        http_fail(exchange, ERROR_conflict, "epoch: the events have begun anew since");
    else {
        exchange->page.epoch = current;
        exchange->request = event_ack_get_last(exchange->gateway->bus, exchange->principal->user_id, on_last, exchange);
    }
}
