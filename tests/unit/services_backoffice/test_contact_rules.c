#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <string.h>

#include "core/contact_rules.h"

Test(contact_rules, addresses)
{
    static const char *const good[] = {
        "ann@example.com",       "a.b+tag@sub.example.co.uk", "x@localhost",    "o'neil@example.com",
        "!#$%&'*+-/=?^_`{|}~@x", "\"john doe\"@example.com",  "\"a\\\"b\"@x.y", "a@xn--bcher-kva.example",
    };
    static const char *const bad[] = {
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@@example.com",
        "ann@example..com",
        "ann@.example.com",
        "ann@example.com.",
        ".ann@example.com",
        "ann.@example.com",
        "a..b@example.com",
        "ann@-example.com",
        "ann@example-.com",
        "ann@exa_mple.com",
        "ann@[127.0.0.1]",
        "Ann <ann@example.com>",
        "<ann@example.com>",
        "ann example@example.com",
        "ann@example.com\r\nBcc: x@y.z",
        "ann\t@example.com",
        "\"ann\r\n\"@example.com",
        "\"ann@example.com",
        "\"ann\\",
        "\"ann\"b@example.com",
        "an\xc3\xa9@example.com",
        "ann@example.com,bob@example.com",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_assert(email_is_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(email_is_valid(bad[i]), "%s", bad[i]);
}

Test(contact_rules, addresses_are_bounded)
{
    char text[400];
    snprintf(text, sizeof(text), "%064d@example.com", 0);
    cr_assert(email_is_valid(text));
    snprintf(text, sizeof(text), "%065d@example.com", 0);
    cr_assert_not(email_is_valid(text));
    snprintf(text, sizeof(text), "%060d@%063d.%063d.%063d.b", 0, 1, 2, 3);
    cr_assert_eq(strlen(text), 254);
    cr_assert(email_is_valid(text));
    snprintf(text, sizeof(text), "%060d@%063d.%063d.%063d.bc", 0, 1, 2, 3);
    cr_assert_not(email_is_valid(text), "255 bytes");
    snprintf(text, sizeof(text), "a@%064d.com", 0);
    cr_assert_not(email_is_valid(text), "a label has 63 bytes at most");
}

Test(contact_rules, phones)
{
    static const char *const good[] = {"+41791234567", "+12345678", "+123456789012345"};
    static const char *const bad[] = {"",          "+",           "41791234567",   "+1234567",     "+1234567890123456",
                                      "+01234567", "+4179123 45", "+41791234567x", "++41791234567"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_assert(phone_is_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(phone_is_valid(bad[i]), "%s", bad[i]);
}

Test(contact_rules, locales_and_time_zones)
{
    static const char *const locales[] = {"en", "de-CH", "de-CH-1996", "zh-Hant-TW", "es-419", "en-x-a"};
    static const char *const no_locales[] = {"",
                                             "e",
                                             "de_CH",
                                             "de-",
                                             "-de",
                                             "d3",
                                             "de--CH",
                                             "de CH",
                                             "de-123456789",
                                             "abcdefghi",
                                             "de-!",
                                             "de-CH-",
                                             "en/us",
                                             "\xc3\xa9\xc3\xa9",
                                             "de-12345678-12345678-12345678-12345678"};
    static const char *const zones[] = {"UTC", "Europe/Zurich", "America/Argentina/Buenos_Aires", "Etc/GMT+5",
                                        "America/Port-au-Prince"};
    static const char *const no_zones[] = {"",
                                           "/",
                                           "Europe/",
                                           "/Zurich",
                                           "Europe//Zurich",
                                           "../etc/passwd",
                                           "Europe/..",
                                           "+01:00",
                                           "A B",
                                           "Europe/Zurich\n",
                                           "5/5",
                                           "."};
    for (size_t i = 0; i < ARRAY_LEN(locales); i++)
        cr_assert(locale_is_well_formed(locales[i]), "%s", locales[i]);
    for (size_t i = 0; i < ARRAY_LEN(no_locales); i++)
        cr_assert_not(locale_is_well_formed(no_locales[i]), "%s", no_locales[i]);
    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        cr_assert(timezone_is_well_formed(zones[i]), "%s", zones[i]);
    for (size_t i = 0; i < ARRAY_LEN(no_zones); i++)
        cr_assert_not(timezone_is_well_formed(no_zones[i]), "%s", no_zones[i]);
    char text[80];
    snprintf(text, sizeof(text), "A%063d", 0);
    cr_assert(timezone_is_well_formed(text));
    snprintf(text, sizeof(text), "A%064d", 0);
    cr_assert_not(timezone_is_well_formed(text));
}

static void check(const char *text, const char *expected)
{
    cJSON *body = cJSON_Parse(text);
    struct contacts contacts;
    memset(&contacts, 0, sizeof(contacts));
    char error[160] = "";
    cr_assert(contacts_read(body, &contacts, error, sizeof(error)), "%s: %s", text, error);
    contacts.put.user_id = (char *)"u1";
    struct strbuf out;
    struct json_writer json;
    strbuf_init(&out, 64);
    json_writer_init(&json, &out);
    contacts_write(&json, &contacts.put);
    cr_assert_str_eq(out.data, expected);
    strbuf_finish(&out);
    cJSON_Delete(body);
}

#define ALL_ON "{\"channels\":{\"push\":true,\"email\":true,\"sms\":true},\"muted_types\":[],\"quiet_hours\":null}"

Test(contact_rules, what_is_kept_is_said)
{
    static const char nothing[] =
        "{\"user_id\":\"u1\",\"email\":null,\"phone\":null,\"locale\":null,\"timezone\":null,\"preferences\":" ALL_ON
        "}";
    check("{}", nothing);
    check("{\"email\":null,\"phone\":null,\"locale\":null,\"timezone\":null,\"preferences\":null}", nothing);
    check("{\"preferences\":{\"channels\":null,\"muted_types\":null,\"quiet_hours\":null},\"other\":1}", nothing);
    check("{\"preferences\":{\"channels\":{\"push\":null}}}", nothing);
    check(
        "{\"email\":\"ann@example.com\",\"phone\":\"+41791234567\",\"locale\":\"de-CH\",\"timezone\":\"Europe/Zurich\","
        "\"preferences\":{\"channels\":{\"push\":true,\"sms\":false},\"muted_types\":[\"policy_notice\",\"surge\"],"
        "\"quiet_hours\":{\"from\":\"22:30\",\"to\":\"07:05\"}}}",
        "{\"user_id\":\"u1\",\"email\":\"ann@example.com\",\"phone\":\"+41791234567\",\"locale\":\"de-CH\","
        "\"timezone\":\"Europe/Zurich\",\"preferences\":{\"channels\":{\"push\":true,\"email\":true,\"sms\":false},"
        "\"muted_types\":[\"policy_notice\",\"surge\"],\"quiet_hours\":{\"from\":\"22:30\",\"to\":\"07:05\"}}}");
    check("{\"preferences\":{\"quiet_hours\":{\"from\":\"00:00\",\"to\":\"23:59\"}}}",
          "{\"user_id\":\"u1\",\"email\":null,\"phone\":null,\"locale\":null,\"timezone\":null,\"preferences\":{"
          "\"channels\":"
          "{\"push\":true,\"email\":true,\"sms\":true},\"muted_types\":[],\"quiet_hours\":{\"from\":\"00:00\",\"to\":"
          "\"23:59\"}}}");
}

Test(contact_rules, bad_bodies_name_the_field)
{
    static const struct {
        const char *body, *error;
    } rows[] = {
        {"{\"email\":7}", "email:"},
        {"{\"email\":\"\"}", "email:"},
        {"{\"email\":\"Ann <a@b.c>\"}", "email:"},
        {"{\"phone\":\"0791234567\"}", "phone:"},
        {"{\"phone\":41791234567}", "phone:"},
        {"{\"locale\":\"de_CH\"}", "locale:"},
        {"{\"timezone\":\"+01:00\"}", "timezone:"},
        {"{\"preferences\":[]}", "preferences:"},
        {"{\"preferences\":\"none\"}", "preferences:"},
        {"{\"preferences\":{\"quiet\":true}}", "preferences.quiet: is not known here"},
        {"{\"preferences\":{\"a b\":true}}", "preferences: has a name that is not known here"},
        {"{\"preferences\":{\"\":true}}", "preferences: has a name"},
        {"{\"preferences\":{\"channels\":true}}", "preferences.channels:"},
        {"{\"preferences\":{\"channels\":{\"fax\":true}}}", "preferences.channels.fax: is not known here"},
        {"{\"preferences\":{\"channels\":{\"push\":\"yes\"}}}", "preferences.channels.push:"},
        {"{\"preferences\":{\"channels\":{\"sms\":0}}}", "preferences.channels.sms:"},
        {"{\"preferences\":{\"muted_types\":\"x\"}}", "preferences.muted_types:"},
        {"{\"preferences\":{\"muted_types\":[\"ok\",\"Not Ok\"]}}", "preferences.muted_types:"},
        {"{\"preferences\":{\"muted_types\":[7]}}", "preferences.muted_types:"},
        {"{\"preferences\":{\"quiet_hours\":\"22:00-07:00\"}}", "preferences.quiet_hours:"},
        {"{\"preferences\":{\"quiet_hours\":{}}}", "preferences.quiet_hours.from: is needed"},
        {"{\"preferences\":{\"quiet_hours\":{\"from\":\"22:00\"}}}", "preferences.quiet_hours.to: is needed"},
        {"{\"preferences\":{\"quiet_hours\":{\"from\":\"24:00\",\"to\":\"07:00\"}}}", "preferences.quiet_hours.from:"},
        {"{\"preferences\":{\"quiet_hours\":{\"from\":\"22:00\",\"to\":\"7:00\"}}}", "preferences.quiet_hours.to:"},
        {"{\"preferences\":{\"quiet_hours\":{\"from\":\"22:60\",\"to\":\"07:00\"}}}", "preferences.quiet_hours.from:"},
        {"{\"preferences\":{\"quiet_hours\":{\"from\":\"22:00:0\",\"to\":\"07:00\"}}}",
         "preferences.quiet_hours.from:"},
        {"{\"preferences\":{\"quiet_hours\":{\"from\":\"22:00\",\"to\":\"07:00\",\"zone\":1}}}",
         "preferences.quiet_hours.zone: is not known here"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *body = cJSON_Parse(rows[i].body);
        cr_assert_not_null(body, "%s", rows[i].body);
        struct contacts contacts;
        memset(&contacts, 0, sizeof(contacts));
        char error[160] = "";
        cr_assert_not(contacts_read(body, &contacts, error, sizeof(error)), "%s", rows[i].body);
        cr_assert_eq(strncmp(error, rows[i].error, strlen(rows[i].error)), 0, "%s: %s", rows[i].body, error);
        cJSON_Delete(body);
    }
}

Test(contact_rules, muted_types_are_bounded)
{
    for (int count = MUTED_TYPES_MAX; count <= MUTED_TYPES_MAX + 1; count++) {
        cJSON *body = cJSON_CreateObject(), *types = cJSON_CreateArray();
        cJSON_AddItemToObject(cJSON_AddObjectToObject(body, "preferences"), "muted_types", types);
        for (int i = 0; i < count; i++)
            cJSON_AddItemToArray(types, cJSON_CreateString("t"));
        struct contacts contacts;
        memset(&contacts, 0, sizeof(contacts));
        char error[160] = "";
        cr_assert_eq(contacts_read(body, &contacts, error, sizeof(error)), count == MUTED_TYPES_MAX, "%s", error);
        cJSON_Delete(body);
    }
}
