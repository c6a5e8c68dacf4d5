#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "core/booking_rules.h"

static enum booking_change put(struct booking *booking, bool exists, const char *text, int64_t now_ms, char error[160])
{
    cJSON *body = cJSON_Parse(text);
    struct booking_wish wish;
    bool is_good = booking_wish_read(body, &wish, error, 160);
    cr_assert(is_good, "%s", error);
    struct booking next;
    enum booking_change change = booking_apply(exists ? booking : NULL, "b1", &wish, now_ms, &next, error, 160);
    if (change != BOOKING_REFUSED)
        *booking = next;
    cJSON_Delete(body);
    return change;
}

#define REQUESTED "{\"client_id\":\"c1\",\"driver_id\":null,\"status\":\"requested\"}"
#define ASSIGNED "{\"client_id\":\"c1\",\"driver_id\":\"d1\",\"status\":\"assigned\"}"
#define REASSIGNED "{\"client_id\":\"c1\",\"driver_id\":\"d2\",\"status\":\"assigned\"}"
#define COMPLETED "{\"client_id\":\"c1\",\"driver_id\":\"d1\",\"status\":\"completed\"}"
#define CANCELLED "{\"client_id\":\"c1\",\"status\":\"cancelled\"}"

Test(booking_rules, is_created_changed_and_left_alone)
{
    struct booking booking;
    char error[160];
    cr_assert_eq(put(&booking, false, REQUESTED, 1000, error), BOOKING_CREATED);
    cr_assert_str_eq(booking.booking_id, "b1");
    cr_assert_str_eq(booking.driver_id, "");
    cr_assert_eq(booking.version, 1);
    cr_assert_eq(put(&booking, true, REQUESTED, 2000, error), BOOKING_UNCHANGED);
    cr_assert_eq(booking.version, 1);
    cr_assert_eq(booking.updated_at_ms, 1000);
    cr_assert_eq(put(&booking, true, ASSIGNED, 3000, error), BOOKING_UPDATED);
    cr_assert_eq(booking.version, 2);
    cr_assert_eq(booking.created_at_ms, 1000);
    cr_assert_eq(booking.updated_at_ms, 3000);
    cr_assert_eq(put(&booking, true, REASSIGNED, 4000, error), BOOKING_UPDATED, "a reassignment is a change");
    cr_assert_str_eq(booking.driver_id, "d2");
    cr_assert_eq(put(&booking, true, REQUESTED, 5000, error), BOOKING_UPDATED, "and so is taking the driver away");
    cr_assert_str_eq(booking.driver_id, "");
    cr_assert_eq(booking.ended_at_ms, 0);
}

Test(booking_rules, an_ended_one_does_not_come_alive_again)
{
    struct booking booking;
    char error[160];
    put(&booking, false, ASSIGNED, 1000, error);
    cr_assert_eq(put(&booking, true, COMPLETED, 2000, error), BOOKING_UPDATED);
    cr_assert_eq(booking.ended_at_ms, 2000);
    cr_assert_eq(put(&booking, true, COMPLETED, 3000, error), BOOKING_UNCHANGED);
    cr_assert_eq(booking.ended_at_ms, 2000);
    cr_assert_eq(put(&booking, true, ASSIGNED, 4000, error), BOOKING_REFUSED);
    cr_assert_eq(strncmp(error, "status:", 7), 0, "%s", error);
    cr_assert_eq(put(&booking, true, CANCELLED, 4000, error), BOOKING_REFUSED);
    struct booking other;
    cr_assert_eq(put(&other, false, CANCELLED, 1000, error), BOOKING_CREATED, "a driver is not needed to cancel");
}

Test(booking_rules, the_client_never_changes)
{
    struct booking booking;
    char error[160];
    put(&booking, false, REQUESTED, 1000, error);
    cr_assert_eq(put(&booking, true, "{\"client_id\":\"c2\",\"status\":\"requested\"}", 2000, error), BOOKING_REFUSED);
    cr_assert_eq(strncmp(error, "client_id:", 10), 0, "%s", error);
}

Test(booking_rules, bad_bodies_name_the_field)
{
    static const struct {
        const char *body, *field;
    } rows[] = {
        {"{}", "client_id:"},
        {"{\"client_id\":7,\"status\":\"requested\"}", "client_id:"},
        {"{\"client_id\":\"a.b\",\"status\":\"requested\"}", "client_id:"},
        {"{\"client_id\":\"\",\"status\":\"requested\"}", "client_id:"},
        {"{\"client_id\":\"c\"}", "status:"},
        {"{\"client_id\":\"c\",\"status\":\"flying\"}", "status:"},
        {"{\"client_id\":\"c\",\"status\":null}", "status:"},
        {"{\"client_id\":\"c\",\"status\":\"requested\",\"driver_id\":5}", "driver_id:"},
        {"{\"client_id\":\"c\",\"status\":\"assigned\"}", "driver_id:"},
        {"{\"client_id\":\"c\",\"status\":\"driver_en_route_pickup\",\"driver_id\":null}", "driver_id:"},
        {"{\"client_id\":\"c\",\"status\":\"driver_arrived\"}", "driver_id:"},
        {"{\"client_id\":\"c\",\"status\":\"in_progress\"}", "driver_id:"},
        {"{\"client_id\":\"c\",\"status\":\"completed\"}", "driver_id:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *body = cJSON_Parse(rows[i].body);
        struct booking_wish wish;
        char error[160] = "";
        cr_assert_not(booking_wish_read(body, &wish, error, sizeof(error)), "%s", rows[i].body);
        cr_assert_eq(strncmp(error, rows[i].field, strlen(rows[i].field)), 0, "%s: %s", rows[i].body, error);
        cJSON_Delete(body);
    }
}

Test(booking_rules, is_packed_and_written)
{
    struct booking booking;
    char error[160];
    put(&booking, false, ASSIGNED, 1735732800000, error);
    struct strbuf out;
    strbuf_init(&out, 64);
    booking_pack(&booking, &out);
    cr_assert_eq(booking_packed_version(out.data, out.length), 1);
    cr_assert_eq(booking_packed_version("\xff\xff\xff", 3), 0);
    strbuf_clear(&out);
    struct json_writer json;
    json_writer_init(&json, &out);
    booking_write_json(&booking, &json);
    cr_assert_str_eq(out.data,
                     "{\"booking_id\":\"b1\",\"client_id\":\"c1\",\"driver_id\":\"d1\",\"status\":\"assigned\","
                     "\"created_at\":\"2025-01-01T12:00:00Z\",\"updated_at\":\"2025-01-01T12:00:00Z\"}");
    strbuf_finish(&out);
}
