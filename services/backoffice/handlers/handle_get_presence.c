#include "backoffice.h"
#include "proto/subjects.h"
#include "routes.h"
#include "wire/wire.h"

#define STREAM_PRESENCE "PRESENCE"

static void write_presence(const Hansom__PresenceChange *change, struct strbuf *answer)
{
    struct json_writer json;
    json_writer_init(&json, answer);
    json_begin_object(&json);
    json_kv_string(&json, "driver_id", change->driver_id);
    json_kv_string(&json, "status", presence_status_text(change->status));
    json_kv_string(&json, "availability", availability_text(change->availability));
    json_key(&json, "last_seen");
    if (change->last_seen_ms > 0)
        json_time(&json, change->last_seen_ms);
    else
        json_null(&json);
    json_kv_string(&json, "reason", presence_reason_text(change->reason));
    json_end_object(&json);
}

static void answer(struct exchange *exchange, const struct bus_message *message)
{
    Hansom__PresenceChange *change = hansom__presence_change__unpack(NULL, message->length, message->data);
    if (change == NULL) {
        exchange_fail(exchange, ERROR_internal, "the driver's presence cannot be read");
        return;
    }
    write_presence(change, &exchange->answer);
    hansom__presence_change__free_unpacked(change, NULL);
    exchange_reply(exchange, 200);
}

static void on_last(void *context, enum bus_status status, const struct bus_message *message)
{
    struct exchange *exchange = context;
    if (status == BUS_OK)
        answer(exchange, message);
    else if (status == BUS_NOT_FOUND)
        exchange_fail(exchange, ERROR_not_found, "the driver has never been seen");
    else
        exchange_unavailable(exchange, "the bus is not available");
}

void handle_get_presence(struct backoffice *app, struct exchange *exchange)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_DRIVER_PRESENCE, exchange->id);
    bus_get_last(app->bus, STREAM_PRESENCE, subject, bus_timeout_ms(app), on_last, exchange);
}
