/* Events that expire while they wait, with the clock set by hand. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "outbox.h"

#define CREATED_MS 1700000000000ll
#define SECRET "the pickup is at the station"

static Hansom__UserEvent event_of(const char *id, int64_t expires_at_ms)
{
    Hansom__UserEvent event = HANSOM__USER_EVENT__INIT;
    event.user_id = "u1";
    event.event_id = (char *)id;
    event.type = "assignment_offer";
    event.data_json = "{\"place\":\"" SECRET "\"}";
    event.created_at_ms = CREATED_MS;
    event.expires_at_ms = expires_at_ms;
    return event;
}

/* {"op":"message","data":…} with one event per time, in an array where there are several. */
static struct frame *frame_of(const int64_t *expires_at_ms, size_t count, int64_t now_ms)
{
    struct strbuf text;
    struct json_writer json;
    struct expiring parts = {0};
    char id[24];
    strbuf_init(&text, 512);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "e%zu", i);
        Hansom__UserEvent event = event_of(id, expires_at_ms[i]);
        json_key(&json, id);
        expiring_write_event(&parts, &json, &event, now_ms);
    }
    json_end_object(&json);
    struct frame *frame = frame_create_expiring(text.data, text.length, &parts);
    cr_assert_eq(parts.count, 0, "taken over");
    cr_assert_null(parts.parts);
    strbuf_finish(&text);
    return frame;
}

static const char *payload_of(const struct frame *frame)
{
    return frame->bytes + ((unsigned char)frame->bytes[1] < 126 ? 2 : (unsigned char)frame->bytes[1] == 126 ? 4 : 10);
}

/* The type of the i-th event as whoever gets the frame reads it. */
static void expect_type(const struct frame *frame, const char *id, const char *type)
{
    size_t length = frame->length - (size_t)(payload_of(frame) - frame->bytes);
    cJSON *root = json_object_parse(payload_of(frame), length);
    cr_assert_not_null(root, "%.*s", (int)length, payload_of(frame));
    cJSON *data = cJSON_GetObjectItemCaseSensitive(root, id);
    bool is_expired = str_equal(type, "expired");
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "type")), type);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "event_id")), id);
    cr_expect_eq(cJSON_HasObjectItem(data, "place"), !is_expired);
    cr_expect_eq(cJSON_HasObjectItem(data, "expires_at"), 1);
    cr_expect_eq(cJSON_GetArraySize(data), is_expired ? 4 : 5);
    if (is_expired)
        cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "expired_type")),
                         "assignment_offer");
    cJSON_Delete(root);
}

Test(expiring, what_has_expired_already_is_a_tombstone_from_the_start)
{
    struct frame *frame = frame_of((const int64_t[]){CREATED_MS + 10}, 1, CREATED_MS + 10);
    expect_type(frame, "e0", "expired");
    cr_assert_null(frame->expiring);
    cr_assert_eq(frame->expires_at_ms, 0);
    frame_unref(&frame);
}

Test(expiring, what_never_expires_costs_nothing)
{
    struct frame *frame = frame_of((const int64_t[]){0}, 1, CREATED_MS);
    cr_assert_null(frame->expiring);
    cr_assert_eq(frame->expires_at_ms, 0);
    frame_expire(frame, INT64_MAX);
    cr_assert_not_null(memmem(frame->bytes, frame->length, SECRET, strlen(SECRET)));
    frame_unref(&frame);
}

Test(expiring, each_event_of_a_frame_has_its_own_time)
{
    struct frame *frame = frame_of((const int64_t[]){CREATED_MS + 30, CREATED_MS + 10, CREATED_MS + 20}, 3, CREATED_MS);
    uint32_t length = frame->length;
    cr_assert_eq(frame->expires_at_ms, CREATED_MS + 10);
    frame_expire(frame, CREATED_MS + 9);
    expect_type(frame, "e1", "assignment_offer");
    frame_expire(frame, CREATED_MS + 10);
    expect_type(frame, "e1", "expired");
    expect_type(frame, "e0", "assignment_offer");
    cr_assert_eq(frame->expires_at_ms, CREATED_MS + 20);
    frame_expire(frame, CREATED_MS + 25);
    expect_type(frame, "e2", "expired");
    expect_type(frame, "e0", "assignment_offer");
    frame_expire(frame, CREATED_MS + 1000);
    expect_type(frame, "e0", "expired");
    cr_assert_eq(frame->expires_at_ms, 0);
    cr_assert_eq(frame->length, length);
    cr_assert_null(memmem(frame->bytes, frame->length, SECRET, strlen(SECRET)), "nothing of its data is left");
    frame_unref(&frame);
}

static struct frame *push(struct outbox *outbox, int64_t expires_at_ms)
{
    struct frame *frame = frame_of(&expires_at_ms, 1, CREATED_MS);
    struct frame *same = frame;
    cr_assert(outbox_push(outbox, frame, 100000));
    frame_unref(&frame);
    return same;
}

Test(expiring, an_outbox_puts_tombstones_where_frames_have_waited_too_long)
{
    struct outbox outbox = {0};
    struct iovec vectors[4];
    push(&outbox, 0);
    cr_assert_eq(outbox.expires_at_ms, 0, "nobody need look at the clock");
    struct frame *late = push(&outbox, CREATED_MS + 20), *early = push(&outbox, CREATED_MS + 10);
    size_t bytes = outbox.bytes;
    cr_assert_eq(outbox.expires_at_ms, CREATED_MS + 10);
    outbox_expire(&outbox, CREATED_MS + 9);
    expect_type(early, "e0", "assignment_offer");
    outbox_expire(&outbox, CREATED_MS + 10);
    expect_type(early, "e0", "expired");
    expect_type(late, "e0", "assignment_offer");
    cr_assert_eq(outbox.expires_at_ms, CREATED_MS + 20);
    cr_assert_eq(outbox_peek(&outbox, vectors, 4), 3, "in their order");
    cr_assert_eq(vectors[1].iov_base, late->bytes);
    cr_assert_eq(vectors[2].iov_base, early->bytes);
    outbox_expire(&outbox, CREATED_MS + 20);
    expect_type(late, "e0", "expired");
    cr_assert_eq(outbox.expires_at_ms, 0);
    cr_assert_eq(outbox.bytes, bytes);
    cr_assert_eq(outbox_consume(&outbox, bytes), 0);
    cr_assert_eq(outbox.bytes, 0);
    outbox_finish(&outbox);
}

Test(expiring, a_frame_that_expired_in_one_outbox_has_expired_in_all)
{
    struct outbox quick = {0}, slow = {0};
    struct frame *frame = push(&slow, CREATED_MS + 10);
    cr_assert(outbox_push(&quick, frame, 1000));
    outbox_expire(&quick, CREATED_MS + 11);
    expect_type(frame, "e0", "expired");
    outbox_expire(&slow, CREATED_MS + 11);
    expect_type(frame, "e0", "expired");
    cr_assert_eq(slow.expires_at_ms, 0);
    outbox_finish(&quick);
    outbox_finish(&slow);
}
