#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <string.h>

#include "core/notification_rules.h"
#include "core/rpc_verdict.h"

static struct query query_of(const char *const pairs[][2], size_t count)
{
    struct query query = {0};
    char error[160];
    for (size_t i = 0; i < count; i++)
        cr_assert(query_add(&query, "user_id state channel before limit", pairs[i][0], strlen(pairs[i][0]), pairs[i][1],
                            strlen(pairs[i][1]), error, sizeof(error)));
    return query;
}
#define QUERY(...) query_of((const char *const[][2]){__VA_ARGS__}, ARRAY_LEN(((const char *const[][2]){__VA_ARGS__})))

Test(notification_rules, the_ledger_is_asked_for_one_user_or_for_all)
{
    Hansom__LedgerRequest request;
    char error[160] = "";
    struct query none = {0}, one = QUERY({"user_id", "u-1"}), bad = QUERY({"user_id", "u.1"});
    cr_assert(ledger_request_read(&none, &request, error, sizeof(error)));
    cr_assert_str_eq(request.user_id, "");
    cr_assert(ledger_request_read(&one, &request, error, sizeof(error)));
    cr_assert_str_eq(request.user_id, "u-1");
    cr_assert_not(ledger_request_read(&bad, &request, error, sizeof(error)));
    cr_assert_eq(strncmp(error, "user_id:", 8), 0, "%s", error);
}

Test(notification_rules, dead_letters_are_asked_for_by_page)
{
    Hansom__DeadRequest request;
    char error[160] = "";
    struct query plain = QUERY({"state", "dead"});
    cr_assert(dead_request_read(&plain, &request, error, sizeof(error)), "%s", error);
    cr_assert_str_eq(request.channel, "");
    cr_assert_eq(request.before_delivery_id, 0);
    cr_assert_eq(request.limit, 50);
    struct query full = QUERY({"state", "dead"}, {"channel", "sms"}, {"before", "9007199254740993"}, {"limit", "200"});
    cr_assert(dead_request_read(&full, &request, error, sizeof(error)), "%s", error);
    cr_assert_str_eq(request.channel, "sms");
    cr_assert_eq(request.before_delivery_id, 9007199254740993u);
    cr_assert_eq(request.limit, 200);
}

Test(notification_rules, bad_questions_name_the_parameter)
{
    Hansom__DeadRequest request;
    static const char *const rows[][3] = {
        {"state", "due", "state: must be dead"},
        {"limit", "5", "state: is needed"},
        {"channel", "SMS", "channel:"},
        {"channel", "a1", "channel:"},
        {"before", "x", "before:"},
        {"before", "0", "before:"},
        {"limit", "0", "limit:"},
        {"limit", "201", "limit:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char error[160] = "";
        const char *const pairs[][2] = {{rows[i][0], rows[i][1]}, {"state", "dead"}};
        struct query query = query_of(pairs, i < 2 ? 1 : 2);
        cr_assert_not(dead_request_read(&query, &request, error, sizeof(error)), "%s", rows[i][1]);
        cr_assert_eq(strncmp(error, rows[i][2], strlen(rows[i][2])), 0, "%s", error);
    }
}

Test(notification_rules, a_replay_names_its_channel)
{
    static const struct {
        const char *body, *error;
        unsigned limit;
    } rows[] = {
        {"{\"channel\":\"sms\"}", NULL, 1000},
        {"{\"channel\":\"sms\",\"limit\":null}", NULL, 1000},
        {"{\"channel\":\"sms\",\"limit\":10000}", NULL, 10000},
        {"{}", "channel: is needed", 0},
        {"{\"channel\":7}", "channel:", 0},
        {"{\"channel\":\"\"}", "channel:", 0},
        {"{\"channel\":\"pigeon-post\"}", "channel:", 0},
        {"{\"channel\":\"sms\",\"limit\":0}", "limit:", 0},
        {"{\"channel\":\"sms\",\"limit\":10001}", "limit:", 0},
        {"{\"channel\":\"sms\",\"limit\":\"5\"}", "limit:", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *body = cJSON_Parse(rows[i].body);
        Hansom__ReplayRequest request;
        char error[160] = "";
        cr_assert_eq(replay_request_read(body, &request, error, sizeof(error)), rows[i].error == NULL, "%s",
                     rows[i].body);
        if (rows[i].error == NULL) {
            cr_assert_str_eq(request.channel, "sms");
            cr_assert_eq(request.limit, rows[i].limit);
        } else {
            cr_assert_eq(strncmp(error, rows[i].error, strlen(rows[i].error)), 0, "%s", error);
        }
        cJSON_Delete(body);
    }
}

static void written(void (*write)(struct json_writer *, const void *), const void *reply, const char *expected)
{
    struct strbuf out;
    struct json_writer json;
    strbuf_init(&out, 64);
    json_writer_init(&json, &out);
    write(&json, reply);
    cr_assert_str_eq(out.data, expected);
    strbuf_finish(&out);
}
static void as_ledger(struct json_writer *json, const void *reply)
{
    ledger_write(json, reply);
}
static void as_dead(struct json_writer *json, const void *reply)
{
    dead_write(json, reply);
}

#define T0 1735732800000 /* 2025-01-01T12:00:00Z */

Test(notification_rules, the_ledger_in_json)
{
    Hansom__LedgerAttempt first = HANSOM__LEDGER_ATTEMPT__INIT, second = HANSOM__LEDGER_ATTEMPT__INIT;
    first.number = 1, first.outcome = (char *)"failed", first.reason = (char *)"unavailable", first.status = 503;
    first.started_at_ms = T0, first.ended_at_ms = T0 + 50;
    second.number = 2, second.outcome = (char *)"sending", second.provider_id = (char *)"p\"1";
    second.started_at_ms = T0 + 1000;
    Hansom__LedgerDelivery delivery = HANSOM__LEDGER_DELIVERY__INIT, mail = HANSOM__LEDGER_DELIVERY__INIT;
    delivery.delivery_id = 17, delivery.step = 1, delivery.channel = (char *)"fcm", delivery.device_id = (char *)"d1";
    delivery.state = (char *)"sending";
    delivery.n_attempts = 2, delivery.attempts = (Hansom__LedgerAttempt *[]){&first, &second};
    mail.delivery_id = 18, mail.step = 2, mail.channel = (char *)"email", mail.state = (char *)"due";
    mail.reason = (char *)"quiet_hours", mail.due_at_ms = T0 + 60000, mail.delivered_at_ms = T0 + 61000;
    Hansom__LedgerStep push = HANSOM__LEDGER_STEP__INIT, contact = HANSOM__LEDGER_STEP__INIT;
    push.step = 1, push.state = (char *)"done";
    contact.step = 2, contact.state = (char *)"waiting", contact.reason = (char *)"rate",
    contact.due_at_ms = T0 + 60000;
    Hansom__LedgerEvent event = HANSOM__LEDGER_EVENT__INIT;
    event.user_id = (char *)"u1", event.event_id = (char *)"e1", event.type = (char *)"assignment_offer";
    event.critical = true, event.policy = (char *)"ladder", event.created_at_ms = T0;
    event.expires_at_ms = T0 + 300000, event.acknowledged_at_ms = T0 + 2000;
    event.n_steps = 2, event.steps = (Hansom__LedgerStep *[]){&push, &contact};
    event.n_deliveries = 2, event.deliveries = (Hansom__LedgerDelivery *[]){&delivery, &mail};
    Hansom__LedgerEvent bare = HANSOM__LEDGER_EVENT__INIT;
    bare.user_id = (char *)"u2", bare.event_id = (char *)"e1", bare.type = (char *)"t", bare.policy = (char *)"none";
    bare.created_at_ms = T0;
    Hansom__LedgerReply reply = HANSOM__LEDGER_REPLY__INIT;
    reply.n_events = 2, reply.events = (Hansom__LedgerEvent *[]){&event, &bare};
    written(
        as_ledger, &reply,
        "{\"events\":[{\"user_id\":\"u1\",\"event_id\":\"e1\",\"type\":\"assignment_offer\",\"critical\":true,"
        "\"policy\":\"ladder\",\"created_at\":\"2025-01-01T12:00:00Z\",\"expires_at\":\"2025-01-01T12:05:00Z\","
        "\"acknowledged_at\":\"2025-01-01T12:00:02Z\",\"steps\":[{\"step\":1,\"kind\":\"push\",\"state\":\"done\"},"
        "{\"step\":2,\"kind\":\"contact\",\"state\":\"waiting\",\"reason\":\"rate\",\"due_at\":\"2025-01-01T12:01:"
        "00Z\"}],"
        "\"deliveries\":[{\"delivery_id\":17,\"step\":1,\"channel\":\"fcm\",\"device_id\":\"d1\",\"state\":\"sending\","
        "\"attempts\":[{\"number\":1,\"outcome\":\"failed\",\"reason\":\"unavailable\",\"status\":503,"
        "\"started_at\":\"2025-01-01T12:00:00Z\",\"ended_at\":\"2025-01-01T12:00:00.050Z\"},"
        "{\"number\":2,\"outcome\":\"sending\",\"provider_id\":\"p\\\"1\",\"started_at\":\"2025-01-01T12:00:01Z\","
        "\"ended_at\":null}]},{\"delivery_id\":18,\"step\":2,\"channel\":\"email\",\"state\":\"due\","
        "\"reason\":\"quiet_hours\",\"due_at\":\"2025-01-01T12:01:00Z\",\"delivered_at\":\"2025-01-01T12:01:01Z\","
        "\"attempts\":[]}]},{\"user_id\":\"u2\",\"event_id\":\"e1\",\"type\":\"t\",\"critical\":false,\"policy\":"
        "\"none\","
        "\"created_at\":\"2025-01-01T12:00:00Z\",\"steps\":[],\"deliveries\":[]}]}");
}

Test(notification_rules, dead_letters_in_json)
{
    Hansom__LedgerDelivery delivery = HANSOM__LEDGER_DELIVERY__INIT;
    delivery.delivery_id = 17, delivery.step = 2, delivery.channel = (char *)"sms", delivery.state = (char *)"dead";
    delivery.reason = (char *)"unavailable";
    Hansom__DeadLetter letter = HANSOM__DEAD_LETTER__INIT;
    letter.user_id = (char *)"u1", letter.event_id = (char *)"e1", letter.type = (char *)"t",
    letter.delivery = &delivery;
    Hansom__DeadReply reply = HANSOM__DEAD_REPLY__INIT;
    written(as_dead, &reply, "{\"notifications\":[],\"before\":null,\"has_more\":false}");
    reply.n_letters = 1, reply.letters = (Hansom__DeadLetter *[]){&letter};
    written(as_dead, &reply,
            "{\"notifications\":[{\"user_id\":\"u1\",\"event_id\":\"e1\",\"type\":\"t\",\"delivery_id\":17,\"step\":2,"
            "\"channel\":\"sms\",\"state\":\"dead\",\"reason\":\"unavailable\"}],\"before\":null,\"has_more\":false}");
    reply.has_more = true;
    written(as_dead, &reply,
            "{\"notifications\":[{\"user_id\":\"u1\",\"event_id\":\"e1\",\"type\":\"t\",\"delivery_id\":17,\"step\":2,"
            "\"channel\":\"sms\",\"state\":\"dead\",\"reason\":\"unavailable\"}],\"before\":17,\"has_more\":true}");
    letter.delivery = NULL;
    written(as_dead, &reply,
            "{\"notifications\":[{\"user_id\":\"u1\",\"event_id\":\"e1\",\"type\":\"t\"}],\"before\":null,\"has_more\":"
            "true}");
}

Test(rpc_verdict, only_what_the_caller_can_mend_is_passed_on)
{
    static const struct {
        const char *code;
        enum error_code verdict;
    } rows[] = {
        {"", ERROR_NONE},
        {"bad_request", ERROR_bad_request},
        {"not_found", ERROR_not_found},
        {"conflict", ERROR_conflict},
        {"payload_too_large", ERROR_payload_too_large},
        {"unavailable", ERROR_unavailable},
        {"rate_limited", ERROR_unavailable},
        {"unauthorized", ERROR_internal},
        {"forbidden", ERROR_internal},
        {"internal", ERROR_internal},
        {"none", ERROR_internal},
        {"no such code", ERROR_internal},
    };
    const char *detail;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Hansom__NotifyReply reply = HANSOM__NOTIFY_REPLY__INIT;
        reply.error_code = (char *)rows[i].code;
        reply.detail = (char *)"timezone: is not known";
        cr_assert_eq(rpc_verdict(&reply.base, &detail), rows[i].verdict, "%s", rows[i].code);
        cr_assert_str_eq(detail, *rows[i].code == '\0' ? "" : "timezone: is not known");
        Hansom__ReplayReply other = HANSOM__REPLAY_REPLY__INIT;
        other.error_code = (char *)rows[i].code;
        cr_assert_eq(rpc_verdict(&other.base, &detail), rows[i].verdict, "%s", rows[i].code);
        cr_assert_str_eq(detail, "", "a message without a detail");
    }
    cr_assert_eq(rpc_verdict(NULL, &detail), ERROR_internal);
}
