#include <criterion/criterion.h>

#include "outbox.h"

static void push(struct outbox *outbox, const char *payload)
{
    struct frame *frame = frame_create(payload, strlen(payload));
    cr_assert(outbox_push(outbox, frame, 100000));
    frame_unref(&frame);
}

static void expect_next(struct outbox *outbox, const char *payload)
{
    struct frame *frame = outbox_pop(outbox);
    cr_assert_not_null(frame);
    cr_assert_eq(frame->length, strlen(payload) + 2);
    cr_assert_eq(memcmp(frame->bytes + 2, payload, strlen(payload)), 0, "expected %s", payload);
    frame_unref(&frame);
}

Test(outbox, keeps_the_order_while_it_grows_and_wraps)
{
    struct outbox outbox = {0};
    char text[16];
    int pushed = 0, popped = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 7; i++) {
            snprintf(text, sizeof(text), "item%d", pushed++);
            push(&outbox, text);
        }
        for (int i = 0; i < 5; i++) {
            snprintf(text, sizeof(text), "item%d", popped++);
            expect_next(&outbox, text);
        }
    }
    cr_assert_eq(outbox.count, pushed - popped);
    while (popped < pushed) {
        snprintf(text, sizeof(text), "item%d", popped++);
        expect_next(&outbox, text);
    }
    cr_assert_null(outbox_pop(&outbox));
    cr_assert_eq(outbox.bytes, 0);
    outbox_finish(&outbox);
}

Test(outbox, is_bounded_by_bytes)
{
    struct outbox outbox = {0};
    struct frame *frame = frame_create("0123456789", 10); /* 12 bytes with its header */
    cr_assert(outbox_push(&outbox, frame, 24));
    cr_assert(outbox_push(&outbox, frame, 24), "exactly full still fits");
    cr_assert_not(outbox_push(&outbox, frame, 24));
    cr_assert_eq(outbox.count, 2);
    cr_assert_eq(outbox.bytes, 24);
    cr_assert_eq(frame->references, 3, "what was refused holds no reference");
    outbox_finish(&outbox);
    cr_assert_eq(frame->references, 1);
    cr_assert(outbox_push(&outbox, frame, 1), "a first frame always fits");
    cr_assert_not(outbox_push(&outbox, frame, 1));
    outbox_finish(&outbox);
    frame_unref(&frame);
}

Test(outbox, peek_shows_whole_frames_from_the_front)
{
    struct outbox outbox = {0};
    struct iovec vectors[2];
    cr_assert_eq(outbox_peek(&outbox, vectors, 2), 0);
    push(&outbox, "a");
    push(&outbox, "bb");
    push(&outbox, "ccc");
    cr_assert_eq(outbox_peek(&outbox, vectors, 2), 2);
    cr_assert_eq(vectors[0].iov_len, 3);
    cr_assert_eq(vectors[1].iov_len, 4);
    cr_assert_eq(memcmp(vectors[1].iov_base,
                        "\x81\x02"
                        "bb",
                        4),
                 0);
    cr_assert_eq(outbox.count, 3, "and takes nothing");
    outbox_finish(&outbox);
}

Test(outbox, consume_drops_whole_frames_and_tells_the_rest)
{
    struct outbox outbox = {0};
    push(&outbox, "a");   /* 3 */
    push(&outbox, "bb");  /* 4 */
    push(&outbox, "ccc"); /* 5 */
    cr_assert_eq(outbox_consume(&outbox, 0), 0);
    cr_assert_eq(outbox_consume(&outbox, 2), 2, "a part of the first");
    cr_assert_eq(outbox.count, 3);
    cr_assert_eq(outbox_consume(&outbox, 3 + 4 + 1), 1);
    cr_assert_eq(outbox.count, 1);
    cr_assert_eq(outbox.bytes, 5);
    cr_assert_eq(outbox_consume(&outbox, 5), 0);
    cr_assert_eq(outbox.count, 0);
    outbox_finish(&outbox);
}
