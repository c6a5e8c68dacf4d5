#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "core/session_rules.h"

Test(session_rules, scopes)
{
    static const char *const good[] = {"subscribe:>", "subscribe:booking.*.tracking", "publish:booking.B-1.chat",
                                       "subscribe:user.u_1.>", "publish:*"};
    static const char *const bad[] = {"",
                                      "subscribe:",
                                      "read:booking.>",
                                      "subscribe:booking..chat",
                                      "subscribe:.a",
                                      "subscribe:a.",
                                      "subscribe:>.a",
                                      "subscribe:a*.b",
                                      "subscribe:a b",
                                      "booking.>",
                                      "publish:a.>>",
                                      "Subscribe:a"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_assert(scope_is_well_formed(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(scope_is_well_formed(bad[i]), "%s", bad[i]);
    struct strbuf out;
    strbuf_init(&out, 16);
    scopes_write_array(&out, good, 2);
    cr_assert_str_eq(out.data, "{\"subscribe:>\",\"subscribe:booking.*.tracking\"}");
    strbuf_clear(&out);
    scopes_write_array(&out, NULL, 0);
    cr_assert_str_eq(out.data, "{}");
    strbuf_finish(&out);
}

Test(session_rules, a_whole_wish)
{
    cJSON *body = cJSON_Parse("{\"user_id\":\"u1\",\"role\":\"driver\",\"platform\":\"ios\",\"device_id\":\"d:1\","
                              "\"scopes\":[\"publish:*\"],\"ttl_s\":86400,\"unknown\":1}");
    struct session_wish wish;
    char error[160];
    cr_assert(session_wish_read(body, &wish, error, sizeof(error)), "%s", error);
    cr_assert_str_eq(wish.user_id, "u1");
    cr_assert_str_eq(wish.device_id, "d:1");
    cr_assert(wish.has_scopes);
    cr_assert_eq(wish.scope_count, 1);
    cr_assert_eq(wish.ttl_s, 86400);
    cJSON_Delete(body);
    body = cJSON_Parse("{\"user_id\":\"u1\",\"role\":\"client\",\"platform\":\"web\",\"ttl_s\":null,\"scopes\":null}");
    cr_assert(session_wish_read(body, &wish, error, sizeof(error)), "%s", error);
    cr_assert_not(wish.has_scopes);
    cr_assert_eq(wish.ttl_s, 0);
    cr_assert_null(wish.device_id);
    cJSON_Delete(body);
}

#define START "{\"user_id\":\"u\",\"role\":\"client\",\"platform\":\"ios\""
Test(session_rules, bad_bodies_name_the_field)
{
    static const struct {
        const char *body, *field;
    } rows[] = {
        {"{\"role\":\"client\",\"platform\":\"ios\"}", "user_id:"},
        {"{\"user_id\":\"a b\",\"role\":\"client\",\"platform\":\"ios\"}", "user_id:"},
        {"{\"user_id\":\"u\",\"platform\":\"ios\"}", "role:"},
        {"{\"user_id\":\"u\",\"role\":\"root\",\"platform\":\"ios\"}", "role:"},
        {"{\"user_id\":\"u\",\"role\":\"client\"}", "platform:"},
        {"{\"user_id\":\"u\",\"role\":\"client\",\"platform\":\"\"}", "platform:"},
        {"{\"user_id\":\"u\",\"role\":\"client\",\"platform\":\"0123456789012345678901234567890123\"}", "platform:"},
        {"{\"user_id\":\"u\",\"role\":\"client\",\"platform\":\"a\\nb\"}", "platform:"},
        {START ",\"device_id\":\"\"}", "device_id:"},
        {START ",\"device_id\":{}}", "device_id:"},
        {START ",\"ttl_s\":0}", "ttl_s:"},
        {START ",\"ttl_s\":86401}", "ttl_s:"},
        {START ",\"ttl_s\":1.5}", "ttl_s:"},
        {START ",\"ttl_s\":\"60\"}", "ttl_s:"},
        {START ",\"scopes\":\"publish:*\"}", "scopes:"},
        {START ",\"scopes\":[1]}", "scopes:"},
        {START ",\"scopes\":[\"publish:*\",\"all\"]}", "scopes:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *body = cJSON_Parse(rows[i].body);
        struct session_wish wish;
        char error[160] = "";
        cr_assert_not(session_wish_read(body, &wish, error, sizeof(error)), "%s", rows[i].body);
        cr_assert_eq(strncmp(error, rows[i].field, strlen(rows[i].field)), 0, "%s: %s", rows[i].body, error);
        cJSON_Delete(body);
    }
}

Test(session_rules, a_cut_off_refuses_what_was_made_before_and_nothing_after)
{
    for (int64_t now_ms = 10000; now_ms < 12000; now_ms += 111) {
        int64_t cutoff_ms = cutoff_of(now_ms);
        cr_assert_lt(issued_at_s(now_ms, 0) * 1000, cutoff_ms, "a token of the same second is refused");
        cr_assert_geq(issued_at_s(now_ms, cutoff_ms) * 1000, cutoff_ms, "one made right afterwards is not");
        cr_assert_leq(issued_at_s(now_ms, cutoff_ms) * 1000 - now_ms, 1000);
    }
    cr_assert_eq(issued_at_s(99999, 10000), 99);
}
