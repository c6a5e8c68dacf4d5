#include <criterion/criterion.h>
#include <string.h>

#include "ws_codec.h"

/* What a server would see of a frame of ours, unmasked. */
static void check_written(size_t length, size_t header_bytes)
{
    struct strbuf out;
    strbuf_init(&out, 16);
    char *payload = mem_alloc(length + 1);
    for (size_t i = 0; i < length; i++)
        payload[i] = (char)('a' + i % 26);
    ws_write_frame(&out, WS_TEXT, payload, length);
    cr_assert_eq(out.length, header_bytes + 4 + length);
    cr_expect_eq((unsigned char)out.data[0], 0x81);
    cr_expect((out.data[1] & 0x80) != 0, "clients mask");
    const char *key = out.data + header_bytes;
    for (size_t i = 0; i < length; i++)
        cr_assert_eq((char)(out.data[header_bytes + 4 + i] ^ key[i % 4]), payload[i]);
    mem_free(payload);
    strbuf_finish(&out);
}

Test(ws_codec, written_frames_of_every_length_form)
{
    check_written(0, 2);
    check_written(125, 2);
    check_written(126, 4);
    check_written(65535, 4);
    check_written(65536, 10);
}

Test(ws_codec, reads_frames_whole_or_not_at_all)
{
    static const char bytes[] = "\x81\x05hello\x88\x02\x03\xe8";
    struct ws_frame frame;
    for (size_t i = 0; i < 7; i++)
        cr_expect_eq(ws_read_frame(bytes, i, 1024, &frame), 0, "%zu bytes", i);
    cr_assert_eq(ws_read_frame(bytes, sizeof(bytes) - 1, 1024, &frame), 7);
    cr_expect_eq(frame.opcode, WS_TEXT);
    cr_expect(frame.is_final);
    cr_expect_eq(frame.length, 5);
    cr_expect_eq(memcmp(frame.payload, "hello", 5), 0);
    cr_assert_eq(ws_read_frame(bytes + 7, 4, 1024, &frame), 4);
    cr_expect_eq(frame.opcode, WS_CLOSE);
}

Test(ws_codec, reads_long_lengths)
{
    char bytes[4 + 300] = {(char)0x82, 126, 1, 44};
    struct ws_frame frame;
    cr_assert_eq(ws_read_frame(bytes, sizeof(bytes), 1024, &frame), 304);
    cr_expect_eq(frame.length, 300);
    cr_expect_eq(ws_read_frame(bytes, 3, 1024, &frame), 0);
    static const char longest[] = "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00";
    cr_expect_eq(ws_read_frame(longest, 10, 1 << 20, &frame), 0, "its payload is not there yet");
}

Test(ws_codec, refuses_what_the_protocol_forbids)
{
    struct ws_frame frame;
    cr_expect_eq(ws_read_frame("\xc1\x00", 2, 1024, &frame), -1, "an extension's bit");
    cr_expect_eq(ws_read_frame("\x81\x80\x00\x00\x00\x00", 6, 1024, &frame), -1, "a masked frame of a server");
    cr_expect_eq(ws_read_frame("\x81\x7e\x10\x00", 4, 1024, &frame), -1, "more than was allowed");
    cr_expect_eq(ws_read_frame("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, 1024, &frame), -1);
}

Test(ws_codec, request_names_protocol_and_token)
{
    struct strbuf out;
    char key[25];
    strbuf_init(&out, 64);
    ws_make_key(key);
    cr_expect_eq(strlen(key), 24);
    ws_write_request(&out, "127.0.0.1", "/v1/ws", key, "T");
    cr_expect_eq(strncmp(out.data, "GET /v1/ws HTTP/1.1\r\n", 21), 0);
    cr_expect_not_null(strstr(out.data, "\r\nSec-WebSocket-Protocol: hansom.v1.json\r\n"));
    cr_expect_not_null(strstr(out.data, "\r\nAuthorization: Bearer T\r\n"));
    cr_expect_str_eq(out.data + out.length - 4, "\r\n\r\n");
    strbuf_clear(&out);
    ws_write_request(&out, "127.0.0.1", "/v1/ws", key, NULL);
    cr_expect_null(strstr(out.data, "Authorization"));
    strbuf_finish(&out);
}
