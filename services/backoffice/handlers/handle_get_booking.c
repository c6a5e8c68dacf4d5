#include "backoffice.h"
#include "booking_db.h"
#include "routes.h"

static void on_row(void *context, enum pg_status status, const struct pg_result *result)
{
    struct exchange *exchange = context;
    if (status != PG_OK) {
        exchange_unavailable(exchange, "the database is not available");
        return;
    }
    if (pg_row_count(result) == 0) {
        exchange_fail(exchange, ERROR_not_found, "there is no such booking");
        return;
    }
    struct booking booking;
    booking_from_row(result, 0, &booking);
    struct json_writer json;
    json_writer_init(&json, &exchange->answer);
    booking_write_json(&booking, &json);
    exchange_reply(exchange, 200);
}

void handle_get_booking(struct backoffice *app, struct exchange *exchange)
{
    booking_db_read(app, exchange->id, on_row, exchange);
}
