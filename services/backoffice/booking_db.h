#ifndef HANSOM_BOOKING_DB_H
#define HANSOM_BOOKING_DB_H
/* Bookings in PostgreSQL (the truth) and their copies in the bucket "bookings". */
#include "core/announcements.h"
#include "core/booking_rules.h"
#include "kv_writer.h"
#include "pg/pg.h"

struct backoffice;

/* One row per booking: the columns that booking_from_row reads. */
#define BOOKING_COLUMNS "booking_id, client_id, driver_id, status, version, created_at_ms, updated_at_ms, ended_at_ms"
#define BOOKING_COLUMN_COUNT 8
void booking_from_row(const struct pg_result *result, size_t row, struct booking *booking_r);

/* No row: there is no such booking. One more column tells kv_published_version. */
void booking_db_read(struct backoffice *app, const char *booking_id, pg_result_cb *callback, void *context);
/* Inserts version 1, or puts version n in the place of n-1, together with what is to be said of it. The answer is one
 * row: how many were written. 0: somebody else was faster. */
void booking_db_write(struct backoffice *app, const struct booking *booking, const struct announcements *announcements,
                      pg_result_cb *callback, void *context);

/* Brings the bucket up to this version, and notes that in the row (without waiting for it). */
void booking_publish(struct backoffice *app, const struct booking *booking, kv_done_cb *callback, void *context);

#endif
