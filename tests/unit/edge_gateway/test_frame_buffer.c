#include <criterion/criterion.h>

#include "frame_buffer.h"

static void check_header(size_t payload, const unsigned char *header, size_t header_length)
{
    char *text = mem_alloc(payload + 1);
    memset(text, 'x', payload);
    struct frame *frame = frame_create(text, payload);
    cr_assert_eq(frame->length, header_length + payload, "payload of %zu", payload);
    cr_assert_eq(memcmp(frame->bytes, header, header_length), 0, "payload of %zu", payload);
    cr_assert_eq(memcmp(frame->bytes + header_length, text, payload), 0, "payload of %zu", payload);
    frame_unref(&frame);
    cr_assert_null(frame);
    mem_free(text);
}

/* RFC 6455 5.2: the shortest of the three lengths, most significant byte first, no mask. */
Test(frame_buffer, lengths)
{
    check_header(0, (const unsigned char[]){0x81, 0}, 2);
    check_header(125, (const unsigned char[]){0x81, 125}, 2);
    check_header(126, (const unsigned char[]){0x81, 126, 0x00, 0x7e}, 4);
    check_header(65535, (const unsigned char[]){0x81, 126, 0xff, 0xff}, 4);
    check_header(65536, (const unsigned char[]){0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10);
}

Test(frame_buffer, references)
{
    struct frame *frame = frame_create("hi", 2);
    struct frame *other = frame_ref(frame);
    cr_assert_eq(other, frame);
    cr_assert_eq(frame->references, 2);
    frame_unref(&frame);
    cr_assert_null(frame);
    cr_assert_eq(other->references, 1);
    frame_unref(&other);
    frame_unref(&other);
    cr_assert_null(other, "NULL is allowed");
}
