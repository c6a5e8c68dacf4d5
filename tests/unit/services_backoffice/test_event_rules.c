#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <string.h>

#include "core/event_rules.h"

#define NOW 1735732800000 /* 2025-01-01T12:00:00Z */

static bool read_text(const char *text, Hansom__UserEvent *event, cJSON **body_r, char error[160])
{
    *body_r = cJSON_Parse(text);
    cr_assert_not_null(*body_r, "%s", text);
    return event_read(*body_r, NOW, event, error, 160);
}

static void finish(Hansom__UserEvent *event, cJSON *body)
{
    cJSON_free(event->data_json);
    cJSON_Delete(body);
}

Test(event_rules, a_small_one)
{
    Hansom__UserEvent event;
    cJSON *body;
    char error[160] = "";
    cr_assert(read_text("{\"event_id\":\"e-1\",\"type\":\"policy_notice\",\"data\":{}}", &event, &body, error), "%s",
              error);
    cr_assert_str_eq(event.event_id, "e-1");
    cr_assert_str_eq(event.type, "policy_notice");
    cr_assert_str_eq(event.data_json, "{}");
    cr_assert_not(event.critical);
    cr_assert_eq(event.created_at_ms, NOW);
    cr_assert_eq(event.expires_at_ms, 0);
    cr_assert_str_eq(event.collapse_key, "");
    cr_assert_str_eq(event.user_id, "");
    finish(&event, body);
}

Test(event_rules, a_full_one)
{
    Hansom__UserEvent event;
    cJSON *body;
    char error[160] = "";
    cr_assert(
        read_text(
            "{\"event_id\":\"e-1\",\"type\":\"t_2\",\"critical\":true,\"expires_at\":\"2025-01-01T13:00:00.5+00:30\","
            "\"collapse_key\":\"any text\",\"data\":{\"a\":[1,\"b\"]},\"more\":1}",
            &event, &body, error),
        "%s", error);
    cr_assert(event.critical);
    cr_assert_eq(event.expires_at_ms, NOW + 30 * 60000 + 500);
    cr_assert_str_eq(event.collapse_key, "any text");
    cr_assert_str_eq(event.data_json, "{\"a\":[1,\"b\"]}");
    finish(&event, body);
}

Test(event_rules, bad_bodies_name_the_field)
{
    static const struct {
        const char *fields, *field;
    } rows[] = {
        {"\"type\":\"t\",\"data\":{}", "event_id: is needed"},
        {"\"event_id\":\"a b\",\"type\":\"t\",\"data\":{}", "event_id:"},
        {"\"event_id\":7,\"type\":\"t\",\"data\":{}", "event_id:"},
        {"\"event_id\":\"e\",\"data\":{}", "type: is needed"},
        {"\"event_id\":\"e\",\"type\":\"Surge\",\"data\":{}", "type:"},
        {"\"event_id\":\"e\",\"type\":\"\",\"data\":{}", "type:"},
        {"\"event_id\":\"e\",\"type\":\"a.b\",\"data\":{}", "type:"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"critical\":\"yes\",\"data\":{}", "critical:"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"critical\":1,\"data\":{}", "critical:"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"expires_at\":\"soon\",\"data\":{}", "expires_at: must be"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"expires_at\":1735736400,\"data\":{}", "expires_at:"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"expires_at\":\"2025-01-01T12:00:00Z\",\"data\":{}",
         "expires_at: is in the past"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"collapse_key\":\"\",\"data\":{}", "collapse_key:"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"collapse_key\":5,\"data\":{}", "collapse_key:"},
        {"\"event_id\":\"e\",\"type\":\"t\"", "data: is needed"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"data\":null", "data: must be an object"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"data\":[]", "data: must be an object"},
        {"\"event_id\":\"e\",\"type\":\"t\",\"data\":\"x\"", "data: must be an object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[256], error[160] = "";
        snprintf(text, sizeof(text), "{%s}", rows[i].fields);
        Hansom__UserEvent event;
        cJSON *body;
        cr_assert_not(read_text(text, &event, &body, error), "%s", text);
        cr_assert_eq(strncmp(error, rows[i].field, strlen(rows[i].field)), 0, "%s: %s", text, error);
        cJSON_Delete(body);
    }
}

/* As long as the data is at most this many bytes, as JSON without spaces. */
Test(event_rules, data_is_bounded)
{
    static char text[EVENT_DATA_MAX + 256];
    for (int extra = 0; extra <= 1; extra++) {
        static const char head[] = "{\"event_id\":\"e\",\"type\":\"t\",\"data\": {\"a\": \"";
        int fill = EVENT_DATA_MAX - (int)strlen("{\"a\":\"\"}") + extra;
        snprintf(text, sizeof(text), "%s%0*d\"}}", head, fill, 0);
        Hansom__UserEvent event;
        cJSON *body;
        char error[160] = "";
        bool is_good = read_text(text, &event, &body, error);
        cr_assert_eq(is_good, extra == 0, "%s", error);
        if (is_good)
            cJSON_free(event.data_json);
        else
            cr_assert_eq(strncmp(error, "data:", 5), 0, "%s", error);
        cJSON_Delete(body);
    }
}

Test(event_rules, types)
{
    char text[80];
    snprintf(text, sizeof(text), "%064d", 0);
    cr_assert(event_type_is_valid(text));
    snprintf(text, sizeof(text), "%065d", 0);
    cr_assert_not(event_type_is_valid(text));
    cr_assert(event_type_is_valid("assignment_offer"));
    cr_assert_not(event_type_is_valid(""));
    cr_assert_not(event_type_is_valid("a-b"));
}
