#include "core/booking_rules.h"

#include "core/json_fields.h"
#include "wire/wire.h"

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool needs_driver(Hansom__BookingStatus status)
{
    return booking_status_has_driver(status) || status == HANSOM__BOOKING_STATUS__BOOKING_STATUS_COMPLETED;
}

static bool read_status(const struct cJSON *body, Hansom__BookingStatus *status_r, struct field_error *error)
{
    const char *text = NULL;
    if (!field_text(body, "status", FIELD_REQUIRED, &text, error))
        return false;
    *status_r = booking_status_from_text(text);
    if (*status_r != HANSOM__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED)
        return true;
    return field_fail(error, "status: must be requested, assigned, driver_en_route_pickup, driver_arrived, "
                             "in_progress, completed or cancelled");
}

bool booking_wish_read(const struct cJSON *body, struct booking_wish *wish_r, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    *wish_r = (struct booking_wish){0};
    if (!field_id(body, "client_id", FIELD_REQUIRED, &wish_r->client_id, &why) ||
        !field_id(body, "driver_id", FIELD_OPTIONAL, &wish_r->driver_id, &why) ||
        !read_status(body, &wish_r->status, &why))
        return false;
    if (needs_driver(wish_r->status) && wish_r->driver_id == NULL)
        return field_fail(&why, "driver_id: is needed with this status");
    return true;
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

static const char *driver_text(const struct booking_wish *wish)
{
    return wish->driver_id == NULL ? "" : wish->driver_id;
}

static bool is_same(const struct booking *existing, const struct booking_wish *wish)
{
    return existing->status == wish->status && str_equal(existing->driver_id, driver_text(wish));
}

static void put_wish(struct booking *booking, const struct booking_wish *wish, int64_t now_ms)
{
    ASSERT(str_copy(booking->client_id, ID_SIZE, wish->client_id));
    ASSERT(str_copy(booking->driver_id, ID_SIZE, driver_text(wish)));
    booking->status = wish->status;
    booking->version++;
    booking->updated_at_ms = now_ms;
    booking->ended_at_ms = booking_status_is_ended(wish->status) ? now_ms : 0;
}

static enum booking_change refuse(char *error, size_t error_size, const char *why)
{
    str_copy(error, error_size, why);
    return BOOKING_REFUSED;
}

enum booking_change booking_apply(const struct booking *existing, const char *booking_id,
                                  const struct booking_wish *wish, int64_t now_ms, struct booking *next_r, char *error,
                                  size_t error_size)
{
    if (existing == NULL) {
        *next_r = (struct booking){.created_at_ms = now_ms};
        ASSERT(str_copy(next_r->booking_id, ID_SIZE, booking_id));
        put_wish(next_r, wish, now_ms);
        return BOOKING_CREATED;
    }
    if (!str_equal(existing->client_id, wish->client_id))
        return refuse(error, error_size, "client_id: the client of a booking does not change");
    *next_r = *existing;
    if (is_same(existing, wish))
        return BOOKING_UNCHANGED;
    if (booking_status_is_ended(existing->status))
        return refuse(error, error_size, "status: the booking has ended and does not change any more");
    put_wish(next_r, wish, now_ms);
    return BOOKING_UPDATED;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

void booking_write_json(const struct booking *booking, struct json_writer *json)
{
    json_begin_object(json);
    json_kv_string(json, "booking_id", booking->booking_id);
    json_kv_string(json, "client_id", booking->client_id);
    json_kv_string(json, "driver_id", *booking->driver_id == '\0' ? NULL : booking->driver_id);
    json_kv_string(json, "status", booking_status_text(booking->status));
    json_kv_time(json, "created_at", booking->created_at_ms);
    json_kv_time(json, "updated_at", booking->updated_at_ms);
    json_end_object(json);
}

void booking_pack(const struct booking *booking, struct strbuf *out)
{
    Hansom__Booking message = HANSOM__BOOKING__INIT;
    message.booking_id = (char *)booking->booking_id;
    message.client_id = (char *)booking->client_id;
    message.driver_id = (char *)booking->driver_id;
    message.status = booking->status;
    message.updated_at_ms = booking->updated_at_ms;
    message.ended_at_ms = booking->ended_at_ms;
    message.version = booking->version;
    message.created_at_ms = booking->created_at_ms;
    MESSAGE_PACK(out, &message);
}

uint64_t booking_packed_version(const void *bytes, size_t length)
{
    Hansom__Booking *message = hansom__booking__unpack(NULL, length, bytes);
    if (message == NULL)
        return 0;
    uint64_t version = message->version;
    hansom__booking__free_unpacked(message, NULL);
    return version;
}
