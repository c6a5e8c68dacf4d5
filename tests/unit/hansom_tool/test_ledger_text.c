#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "ledger_text.h"

static void shows(const char *json, const char *expected)
{
    cJSON *root = cJSON_Parse(json);
    cr_assert_not_null(root, "%s", json);
    struct strbuf out;
    strbuf_init(&out, 64);
    ledger_text_append(&out, root);
    cr_assert_str_eq(out.data, expected);
    strbuf_finish(&out);
    cJSON_Delete(root);
}

Test(ledger_text, one_line_per_attempt)
{
    shows("{\"events\":[{\"user_id\":\"bob\",\"event_id\":\"offer-17\",\"type\":\"assignment_offer\",\"critical\":true,"
          "\"policy\":\"ladder\",\"created_at\":\"2025-01-01T12:00:00Z\",\"expires_at\":\"2025-01-01T12:05:00Z\","
          "\"steps\":[{\"step\":1,\"kind\":\"push\",\"state\":\"done\",\"due_at\":\"2025-01-01T12:00:03Z\"},"
          "{\"step\":2,\"kind\":\"contact\",\"state\":\"waiting\",\"reason\":\"rate\",\"due_at\":\"2025-01-01T12:01:"
          "03Z\"}],"
          "\"deliveries\":[{\"delivery_id\":17,\"step\":1,\"channel\":\"fcm\",\"device_id\":\"phone-1\",\"state\":"
          "\"delivered\","
          "\"delivered_at\":\"2025-01-01T12:00:09Z\",\"attempts\":["
          "{\"number\":1,\"outcome\":\"failed\",\"reason\":\"unavailable\",\"status\":503,"
          "\"started_at\":\"2025-01-01T12:00:03Z\",\"ended_at\":\"2025-01-01T12:00:03.050Z\"},"
          "{\"number\":2,\"outcome\":\"accepted\",\"status\":200,\"provider_id\":\"projects/p/messages/7\","
          "\"started_at\":\"2025-01-01T12:00:04.210Z\",\"ended_at\":\"2025-01-01T12:00:05.262Z\"}]},"
          "{\"delivery_id\":18,\"step\":1,\"channel\":\"apns\",\"state\":\"due\",\"due_at\":\"2025-01-01T12:00:20Z\","
          "\"attempts\":[{\"number\":1,\"outcome\":\"sending\",\"started_at\":\"2025-01-01T12:00:03Z\",\"ended_at\":"
          "null}]}]}]}",
          "event offer-17 of user bob: assignment_offer, critical, policy ladder\n"
          "  created 2025-01-01T12:00:00Z, expires 2025-01-01T12:05:00Z, not acknowledged\n"
          "  step 1 push: done\n"
          "    17 fcm to device phone-1: delivered, delivered 2025-01-01T12:00:09Z\n"
          "       1  2025-01-01T12:00:03Z      failed        50 ms  503  unavailable\n"
          "       2  2025-01-01T12:00:04.210Z  accepted    1052 ms  200  projects/p/messages/7\n"
          "    18 apns: due, due 2025-01-01T12:00:20Z\n"
          "       1  2025-01-01T12:00:03Z      sending           -\n"
          "  step 2 contact: waiting, rate, due 2025-01-01T12:01:03Z\n");
}

Test(ledger_text, an_event_without_steps)
{
    shows("{\"events\":[{\"user_id\":\"u\",\"event_id\":\"e\",\"type\":\"t\",\"critical\":false,\"policy\":\"none\","
          "\"created_at\":\"2025-01-01T12:00:00Z\",\"acknowledged_at\":\"2025-01-01T12:00:01Z\",\"steps\":[],"
          "\"deliveries\":[]}]}",
          "event e of user u: t, policy none\n  created 2025-01-01T12:00:00Z, acknowledged 2025-01-01T12:00:01Z\n");
    shows("{}", "");
    shows("[]", "");
}

Test(ledger_text, nothing_speaks_to_the_terminal)
{
    shows("{\"events\":[{\"event_id\":\"e\\u001b[2J\",\"type\":\"t\\n\\u00e9\",\"steps\":[{\"step\":1,\"state\":"
          "\"done\"}],"
          "\"deliveries\":[{\"delivery_id\":-1,\"step\":1,\"channel\":\"sms\",\"state\":7,\"attempts\":[{\"number\":"
          "\"x\","
          "\"provider_id\":\"\\u0007\"}]}]}]}",
          "event e?[2J: t???, not acknowledged\n  step 1: done\n    0 sms\n"
          "       0                                              -  ?\n");
}

Test(ledger_text, dead_letters)
{
    cJSON *page =
        cJSON_Parse("{\"notifications\":[{\"user_id\":\"u1\",\"event_id\":\"e1\",\"type\":\"t\",\"delivery_id\":18,"
                    "\"step\":1,\"channel\":\"fcm\",\"device_id\":\"d1\",\"state\":\"dead\",\"reason\":\"timeout\"},"
                    "{\"user_id\":\"u2\",\"event_id\":\"e2\",\"type\":\"t\",\"delivery_id\":17,\"step\":2,"
                    "\"channel\":\"sms\",\"state\":\"dead\"}],\"before\":17,\"has_more\":true}");
    struct strbuf out;
    strbuf_init(&out, 64);
    cr_assert_eq(dead_text_append(&out, page), 2);
    cr_assert_str_eq(out.data,
                     "18  fcm to device d1  timeout  event e1 of user u1: t\n17  sms  event e2 of user u2: t\n");
    strbuf_finish(&out);
    cJSON_Delete(page);
}
