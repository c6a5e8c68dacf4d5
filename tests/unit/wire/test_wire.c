#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "base/file.h"
#include "wire/wire.h"

static cJSON *read_vectors(const char *path)
{
    struct strbuf content;
    char *error = NULL;
    strbuf_init(&content, 1024);
    cr_assert(file_read(path, &content, &error), "%s", error);
    cJSON *root = cJSON_Parse(content.data);
    cr_assert(cJSON_IsArray(root));
    strbuf_finish(&content);
    return root;
}

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

Test(wire, frames_of_the_vectors)
{
    cJSON *vectors = read_vectors(VECTORS "frames.json");
    const cJSON *vector;
    cJSON_ArrayForEach(vector, vectors)
    {
        const char *text = text_of(vector, "frame"), *wanted = text_of(vector, "error");
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(vector, "id");
        struct client_frame frame;
        char error[160] = "";
        bool is_good = client_frame_parse(text, strlen(text), &frame, error, sizeof(error));
        cr_assert_eq(is_good, wanted == NULL, "%s: %s", text, error);
        cr_expect_str_eq(error, wanted == NULL ? "" : wanted, "%s: %s", text, error);
        cr_expect_eq(frame.id, id == NULL ? 0 : (uint32_t)id->valuedouble, "%s", text);
        if (is_good) {
            cr_expect_str_eq(client_op_name(frame.op), text_of(vector, "op"));
            client_frame_finish(&frame);
        }
    }
    cJSON_Delete(vectors);
}

static bool decode_location(const cJSON *in, struct strbuf *out, char *error, size_t size)
{
    Hansom__LocationBatch batch;
    struct json_writer json;
    if (!location_decode(in, "B", "D", &batch, error, size))
        return false;
    json_writer_init(&json, out);
    location_write(&json, "B", "D", batch.fixes[0]);
    location_batch_finish(&batch);
    return true;
}

static bool decode_heartbeat(const cJSON *in, struct strbuf *out, char *error, size_t size)
{
    Hansom__Heartbeat beat;
    (void)out;
    return heartbeat_decode(in, "D", &beat, error, size);
}

/* 2025-01-01T12:00:00Z */
#define NOON_MS 1735732800000

static bool decode_chat(const cJSON *in, struct strbuf *out, char *error, size_t size)
{
    Hansom__ChatItem item;
    struct json_writer json;
    if (!chat_item_decode(in, "B", &item, error, size))
        return false;
    item.booking_id = "B";
    item.from_id = "C";
    item.from_role = HANSOM__ROLE__ROLE_CLIENT;
    item.sent_at_ms = NOON_MS;
    json_writer_init(&json, out);
    chat_item_write(&json, &item);
    chat_item_finish(&item);
    return true;
}

static const struct {
    const char *kind;
    bool (*decode)(const cJSON *in, struct strbuf *out, char *error, size_t size);
} payload_kinds[] = {{"location", decode_location}, {"heartbeat", decode_heartbeat}, {"chat", decode_chat}};

static bool decode_payload(const char *kind, const cJSON *in, struct strbuf *out, char *error, size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(payload_kinds); i++)
        if (str_equal(payload_kinds[i].kind, kind))
            return payload_kinds[i].decode(in, out, error, size);
    cr_assert_fail("no such kind of payload: %s", kind);
    return false;
}

Test(wire, payloads_of_the_vectors)
{
    cJSON *vectors = read_vectors(VECTORS "payloads.json");
    const cJSON *vector;
    cJSON_ArrayForEach(vector, vectors)
    {
        const cJSON *in = cJSON_GetObjectItemCaseSensitive(vector, "in");
        const char *wanted = text_of(vector, "error");
        char error[160] = "";
        const char *written = text_of(vector, "out");
        struct strbuf out;
        strbuf_init(&out, 256);
        bool is_good = decode_payload(text_of(vector, "kind"), in, &out, error, sizeof(error));
        cr_expect_eq(is_good, wanted == NULL, "%s", error);
        cr_expect_str_eq(error, wanted == NULL ? "" : wanted);
        if (is_good && written != NULL)
            cr_expect_str_eq(out.data, written);
        strbuf_finish(&out);
    }
    cJSON_Delete(vectors);
}

Test(wire, a_batch_comes_out_in_order)
{
    cJSON *in = cJSON_Parse(
        "[{\"type\":\"driver_location_update\",\"lat\":2,\"lng\":0,\"timestamp\":\"2025-01-01T12:00:02Z\"},"
        "{\"type\":\"driver_location_update\",\"lat\":1,\"lng\":0,\"timestamp\":\"2025-01-01T12:00:01Z\"}]");
    Hansom__LocationBatch batch;
    char error[160] = "";
    cr_assert(location_decode(in, "B", "D", &batch, error, sizeof(error)), "%s", error);
    cr_assert_eq(batch.n_fixes, 2);
    cr_assert_eq(batch.fixes[0]->lat, 1);
    location_batch_finish(&batch);
    cJSON_Delete(in);
}

Test(wire, channels)
{
    static const struct {
        const char *text;
        int kind; /* -1: none */
    } rows[] = {{"booking.B-1_x.tracking", CHANNEL_TRACKING},
                {"booking.B.chat", CHANNEL_CHAT},
                {"booking.B.presence", CHANNEL_BOOKING_PRESENCE},
                {"user.U.events", CHANNEL_EVENTS},
                {"driver.D.heartbeat", CHANNEL_HEARTBEAT},
                {"driver.D.presence", CHANNEL_DRIVER_PRESENCE},
                {"booking..chat", -1},
                {"booking.a.b.chat", -1},
                {"booking.*.chat", -1},
                {"booking.B.chats", -1},
                {"booking.B", -1},
                {"", -1},
                {"driver.D.events", -1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct channel_name channel;
        bool is_channel = channel_parse(rows[i].text, strlen(rows[i].text), &channel);
        cr_expect_eq(is_channel, rows[i].kind >= 0, "%s", rows[i].text);
        if (is_channel)
            cr_expect_eq((int)channel.kind, rows[i].kind, "%s", rows[i].text);
    }
    char long_name[128];
    struct channel_name channel;
    snprintf(long_name, sizeof(long_name), "booking.%065d.chat", 0);
    cr_expect_not(channel_parse(long_name, strlen(long_name), &channel), "an id of 65");
}

Test(wire, patterns_of_scopes)
{
    cr_expect(channel_matches("booking.*.tracking", "booking.B.tracking"));
    cr_expect(channel_matches("booking.B.tracking", "booking.B.tracking"));
    cr_expect(channel_matches("booking.>", "booking.B.tracking"));
    cr_expect(channel_matches(">", "booking.B.tracking"));
    cr_expect_not(channel_matches("booking.*", "booking.B.tracking"));
    cr_expect_not(channel_matches("booking.*.chat", "booking.B.tracking"));
    cr_expect_not(channel_matches("booking.B.tracking.>", "booking.B.tracking"));
    cr_expect_not(channel_matches("book*.B.tracking", "booking.B.tracking"), "a star is a whole segment");
    cr_expect_not(channel_matches("", "booking.B.tracking"));
}

Test(wire, problems)
{
    struct strbuf out;
    strbuf_init(&out, 256);
    problem_write(&out, ERROR_not_found, 0, "there is \"none\"", "r1", 0);
    cr_expect_str_eq(out.data, "{\"type\":\"urn:hansom:problem:not_found\",\"title\":\"There is no such thing\","
                               "\"status\":404,\"detail\":\"there is \\\"none\\\"\",\"code\":\"not_found\","
                               "\"request_id\":\"r1\"}");
    strbuf_finish(&out);
    cr_expect_eq(error_code_from_name("rate_limited"), ERROR_rate_limited);
    cr_expect_eq(close_reason_code(CLOSE_superseded), 4409);
    cr_expect_not(close_reason_reconnects(CLOSE_superseded));
}

Test(wire, a_message_as_it_stands_now)
{
    Hansom__ChatItem item = HANSOM__CHAT_ITEM__INIT;
    Hansom__StoredChatItem stored = HANSOM__STORED_CHAT_ITEM__INIT;
    stored.item = &item;
    item.booking_id = "B";
    item.kind = HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE;
    item.message_id = "m";
    item.from_id = "A";
    item.from_role = HANSOM__ROLE__ROLE_ADMIN;
    item.content = "new words";
    item.sent_at_ms = NOON_MS;
    stored.edited_at_ms = NOON_MS + 60000;
    struct strbuf out;
    struct json_writer json;
    strbuf_init(&out, 256);
    json_writer_init(&json, &out);
    stored_chat_item_write(&json, &stored);
    cr_assert_str_eq(out.data,
                     "{\"type\":\"chat_message\",\"booking_id\":\"B\",\"from_role\":\"support\",\"from_id\":\"A\","
                     "\"message_id\":\"m\",\"content\":\"new words\",\"sent_at\":\"2025-01-01T12:00:00Z\","
                     "\"edited_at\":\"2025-01-01T12:01:00Z\"}");
    strbuf_clear(&out);
    stored.deleted_at_ms = NOON_MS + 120000;
    stored_chat_item_write(&json, &stored);
    cr_assert_not_null(strstr(out.data, "\"content\":\"\""));
    cr_assert_not_null(strstr(out.data, "\"deleted_at\":\"2025-01-01T12:02:00Z\""));
    cr_assert_null(strstr(out.data, "edited_at"));
    strbuf_finish(&out);
}

Test(wire, epochs)
{
    char text[EPOCH_TEXT_SIZE];
    epoch_format(1735732800000, text);
    cr_assert_str_eq(text, "19421bcaa00");
    cr_assert_eq(epoch_parse(text), 1735732800000);
    cr_assert_eq(epoch_parse("ffffffffffffffff"), UINT64_MAX);
    cr_assert_eq(epoch_parse(""), 0);
    cr_assert_eq(epoch_parse(NULL), 0);
    cr_assert_eq(epoch_parse("xyz"), 0);
    cr_assert_eq(epoch_parse("11111111111111111"), 0, "too long");
}

Test(wire, devices_of_the_vectors)
{
    cJSON *vectors = read_vectors(VECTORS "devices.json");
    const cJSON *vector;
    cJSON_ArrayForEach(vector, vectors)
    {
        const char *wanted = text_of(vector, "error");
        char error[160] = "";
        Hansom__DevicePut put;
        bool is_good =
            device_put_decode(cJSON_GetObjectItemCaseSensitive(vector, "in"), "u1", "dev1", &put, error, sizeof(error));
        cr_expect_eq(is_good, wanted == NULL, "%s, wanted %s", error, wanted);
        cr_expect_str_eq(error, wanted == NULL ? "" : wanted);
        if (is_good) {
            struct strbuf out;
            struct json_writer json;
            strbuf_init(&out, 256);
            json_writer_init(&json, &out);
            device_put_write(&json, &put);
            cr_expect_str_eq(out.data, text_of(vector, "out"));
            cr_expect_str_eq(put.token, text_of(vector, "token"));
            cr_expect_str_eq(put.user_id, "u1");
            strbuf_finish(&out);
        }
        device_put_finish(&put);
    }
    cJSON_Delete(vectors);
}

Test(wire, a_heartbeat_carries_the_wake_that_it_answers)
{
    cJSON *data =
        cJSON_Parse("{\"type\":\"heartbeat\",\"availability\":\"busy\",\"timestamp\":\"2025-01-01T12:00:00Z\","
                    "\"wake_id\":\"wake-1\"}");
    Hansom__Heartbeat beat;
    char error[160] = "";
    cr_assert(heartbeat_decode(data, "D", &beat, error, sizeof(error)), "%s", error);
    cr_expect_str_eq(beat.wake_id, "wake-1");
    cJSON_DeleteItemFromObject(data, "wake_id");
    cr_assert(heartbeat_decode(data, "D", &beat, error, sizeof(error)), "%s", error);
    cr_expect_str_eq(beat.wake_id, "");
    cJSON_Delete(data);
}

static void check_ack(const char *text, uint64_t epoch, uint64_t sequence, const char *wanted)
{
    cJSON *data = json_object_parse(text, strlen(text));
    char error[160] = "";
    uint64_t epoch_read, sequence_read;
    bool is_good = event_ack_decode(data, &epoch_read, &sequence_read, error, sizeof(error));
    cr_expect_eq(is_good, wanted == NULL, "%s: %s", text, error);
    cr_expect_str_eq(error, wanted == NULL ? "" : wanted, "%s: %s", text, error);
    if (is_good) {
        cr_expect_eq(epoch_read, epoch, "%s", text);
        cr_expect_eq(sequence_read, sequence, "%s", text);
    }
    cJSON_Delete(data);
}

Test(wire, acknowledgements_over_rest)
{
    check_ack("{\"seq\":9}", 0, 9, NULL);
    check_ack("{\"seq\":9,\"epoch\":\"1a\"}", 26, 9, NULL);
    check_ack("{\"seq\":9007199254740991}", 0, 9007199254740991, NULL);
    check_ack("{}", 0, 0, "seq: missing");
    check_ack("{\"seq\":0}", 0, 0, "seq: must be a number from 1 to 9007199254740991");
    check_ack("{\"seq\":1.5}", 0, 0, "seq: must be an integer");
    check_ack("{\"seq\":9,\"epoch\":\"XY\"}", 0, 0, "epoch: not an epoch of this server");
    check_ack("{\"seq\":9,\"epoch\":1}", 0, 0, "epoch: must be a text of 1 to 16 bytes");
    check_ack("[1]", 0, 0, "body: must be a JSON object");
    check_ack("{\"seq\":9,\"epoch\":\"1\\u0000\"}", 0, 0, "body: must be a JSON object");
}
