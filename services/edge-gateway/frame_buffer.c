#include "frame_buffer.h"

#define FIN_TEXT 0x81
#define LENGTH_16 126
#define LENGTH_64 127

static size_t write_header(unsigned char *out, size_t length)
{
    out[0] = FIN_TEXT;
    if (length < LENGTH_16) {
        out[1] = (unsigned char)length;
        return 2;
    }
    size_t bytes = length <= UINT16_MAX ? 2 : 8;
    out[1] = bytes == 2 ? LENGTH_16 : LENGTH_64;
    for (size_t i = 0; i < bytes; i++)
        out[2 + i] = (unsigned char)(length >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

struct frame *frame_create(const char *payload, size_t length)
{
    unsigned char header[10];
    size_t header_length = write_header(header, length);
    struct frame *frame = mem_realloc(NULL, sizeof(*frame) + header_length + length);
    frame->references = 1;
    frame->sequence = frame->previous = 0;
    frame->expires_at_ms = 0;
    frame->expiring = NULL;
    frame->length = (uint32_t)(header_length + length);
    memcpy(frame->bytes, header, header_length);
    memcpy(frame->bytes + header_length, payload, length);
    return frame;
}

struct frame *frame_create_expiring(const char *payload, size_t length, struct expiring *parts)
{
    struct frame *frame = frame_create(payload, length);
    if (parts->count == 0)
        return frame;
    frame->expiring = mem_dup(parts, sizeof(*parts));
    frame->expires_at_ms = expiring_next_ms(parts);
    *parts = (struct expiring){0};
    return frame;
}

/* The header's length stands in its second byte. */
static char *payload_of(struct frame *frame)
{
    unsigned char length = (unsigned char)frame->bytes[1];
    return frame->bytes + (length < LENGTH_16 ? 2 : length == LENGTH_16 ? 4 : 10);
}

void frame_expire(struct frame *frame, int64_t now_ms)
{
    if (frame->expires_at_ms == 0 || frame->expires_at_ms > now_ms)
        return;
    expiring_apply(frame->expiring, payload_of(frame), now_ms);
    frame->expires_at_ms = expiring_next_ms(frame->expiring);
}

struct frame *frame_ref(struct frame *frame)
{
    frame->references++;
    return frame;
}

void frame_unref(struct frame **frame_pointer)
{
    struct frame *frame = *frame_pointer;
    *frame_pointer = NULL;
    if (frame == NULL || --frame->references > 0)
        return;
    if (frame->expiring != NULL)
        expiring_finish(frame->expiring);
    mem_free(frame->expiring);
    mem_free(frame);
}
