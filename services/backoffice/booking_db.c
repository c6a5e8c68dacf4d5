#include "booking_db.h"

#include "backoffice.h"
#include "proto/subjects.h"
#include "wire/wire.h"

void booking_from_row(const struct pg_result *result, size_t row, struct booking *booking_r)
{
    *booking_r = (struct booking){
        .status = booking_status_from_text(pg_value(result, row, 3)),
        .version = (uint64_t)pg_value_int(result, row, 4),
        .created_at_ms = pg_value_int(result, row, 5),
        .updated_at_ms = pg_value_int(result, row, 6),
        .ended_at_ms = pg_value_int(result, row, 7),
    };
    const char *driver_id = pg_value(result, row, 2);
    str_copy(booking_r->booking_id, ID_SIZE, pg_value(result, row, 0));
    str_copy(booking_r->client_id, ID_SIZE, pg_value(result, row, 1));
    str_copy(booking_r->driver_id, ID_SIZE, driver_id == NULL ? "" : driver_id);
}

void booking_db_read(struct backoffice *app, const char *booking_id, pg_result_cb *callback, void *context)
{
    const char *const parameters[] = {booking_id};
    pg_query(app->pg, "SELECT " BOOKING_COLUMNS ", kv_published_version FROM bookings WHERE booking_id = $1",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(app), callback, context);
}

#define QUEUE ", " QUEUE_MESSAGES("EXISTS (SELECT FROM written)", "9", "10", "11", "6") " SELECT count(*) FROM written"
static const char insert_sql[] =
    "WITH written AS (INSERT INTO bookings (" BOOKING_COLUMNS ") VALUES ($1, $2, $3, $4, $5::bigint, $7::bigint, "
    "$6::bigint, $8::bigint) ON CONFLICT (booking_id) DO NOTHING RETURNING booking_id)" QUEUE;
static const char update_sql[] =
    "WITH written AS (UPDATE bookings SET client_id = $2, driver_id = $3, status = $4, version = $5::bigint, "
    "created_at_ms = $7::bigint, updated_at_ms = $6::bigint, ended_at_ms = $8::bigint "
    "WHERE booking_id = $1 AND version = $5::bigint - 1 RETURNING booking_id)" QUEUE;

void booking_db_write(struct backoffice *app, const struct booking *booking, const struct announcements *announcements,
                      pg_result_cb *callback, void *context)
{
    char version[NUMBER_SIZE], created[NUMBER_SIZE], updated[NUMBER_SIZE], ended[NUMBER_SIZE];
    struct message_rows rows;
    message_rows_init(&rows, announcements);
    const char *const parameters[] = {
        booking->booking_id,
        booking->client_id,
        *booking->driver_id == '\0' ? NULL : booking->driver_id,
        booking_status_text(booking->status),
        number_text(version, (int64_t)booking->version),
        number_text(updated, booking->updated_at_ms),
        number_text(created, booking->created_at_ms),
        booking->ended_at_ms == 0 ? NULL : number_text(ended, booking->ended_at_ms),
        rows.subjects.text.data,
        rows.ids.text.data,
        rows.payloads.text.data,
    };
    pg_query(app->pg, booking->version == 1 ? insert_sql : update_sql, ARRAY_LEN(parameters), parameters,
             query_timeout_ms(app), callback, context);
    message_rows_finish(&rows);
}

/* --- the copy ----------------------------------------------------------------------------------------------------- */

static const char note_sql[] = "UPDATE bookings SET kv_published_version = $2::bigint "
                               "WHERE booking_id = $1 AND kv_published_version < $2::bigint";

void booking_publish(struct backoffice *app, const struct booking *booking, kv_done_cb *callback, void *context)
{
    struct strbuf packed;
    strbuf_init(&packed, 256);
    booking_pack(booking, &packed);
    kv_write_newer(app->kv_writer,
                   &(struct kv_record){.bucket = BUCKET_BOOKINGS,
                                       .key = booking->booking_id,
                                       .version = booking->version,
                                       .version_of = booking_packed_version,
                                       .data = packed.data,
                                       .length = packed.length,
                                       .note_sql = note_sql},
                   callback, context);
    strbuf_finish(&packed);
}
