#ifndef HANSOM_BOOKING_RULES_H
#define HANSOM_BOOKING_RULES_H
/*
 * What a booking is and how it may change. Pure.
 *
 * As long as a booking is alive its status may be set to any other (a back end corrects and reassigns); once it is
 * completed or cancelled nothing about it changes any more, and its client never changes.
 */
#include "base/ids.h"
#include "base/json_writer.h"
#include "proto/bus.pb-c.h"

struct cJSON;

struct booking {
    char booking_id[ID_SIZE], client_id[ID_SIZE];
    char driver_id[ID_SIZE]; /* "": none is assigned */
    Hansom__BookingStatus status;
    uint64_t version; /* from 1, grows with every change */
    int64_t created_at_ms, updated_at_ms;
    int64_t ended_at_ms; /* 0 while it is alive */
};

/* What a PUT asks for. Strings belong to the JSON it was read from. */
struct booking_wish {
    const char *client_id;
    const char *driver_id; /* NULL: none */
    Hansom__BookingStatus status;
};

/* False with a text for the caller that names the field and does not repeat what was sent. */
MUST_CHECK bool booking_wish_read(const struct cJSON *body, struct booking_wish *wish_r, char *error,
                                  size_t error_size);

enum booking_change {
    BOOKING_CREATED,
    BOOKING_UPDATED,
    BOOKING_UNCHANGED, /* it is like that already */
    BOOKING_REFUSED,   /* it contradicts what is there; error says why */
};
/* existing may be NULL. *next_r is what holds afterwards (not set when refused). */
enum booking_change booking_apply(const struct booking *existing, const char *booking_id,
                                  const struct booking_wish *wish, int64_t now_ms, struct booking *next_r, char *error,
                                  size_t error_size);

/* The object that the REST answers carry. */
void booking_write_json(const struct booking *booking, struct json_writer *json);
/* The message in the bucket "bookings", and the version in one (0 when it cannot be read). */
void booking_pack(const struct booking *booking, struct strbuf *out);
uint64_t booking_packed_version(const void *bytes, size_t length);

#endif
