#include "outbox.h"

#define CAPACITY_MIN 8

void outbox_finish(struct outbox *outbox)
{
    for (struct frame *frame; (frame = outbox_pop(outbox)) != NULL;)
        frame_unref(&frame);
    mem_free(outbox->ring);
    *outbox = (struct outbox){0};
}

static void grow(struct outbox *outbox)
{
    uint32_t capacity = outbox->capacity == 0 ? CAPACITY_MIN : outbox->capacity * 2;
    struct frame **ring = mem_alloc(capacity * sizeof(struct frame *));
    for (uint32_t i = 0; i < outbox->count; i++)
        ring[i] = outbox->ring[(outbox->first + i) & (outbox->capacity - 1)];
    mem_free(outbox->ring);
    outbox->ring = ring;
    outbox->capacity = capacity;
    outbox->first = 0;
}

static struct frame *frame_at(const struct outbox *outbox, uint32_t index)
{
    return outbox->ring[(outbox->first + index) & (outbox->capacity - 1)];
}

static void note_expiry(struct outbox *outbox, int64_t expires_at_ms)
{
    if (outbox->expires_at_ms == 0 || expires_at_ms < outbox->expires_at_ms)
        outbox->expires_at_ms = expires_at_ms;
}

void outbox_expire(struct outbox *outbox, int64_t now_ms)
{
    if (outbox->expires_at_ms == 0 || outbox->expires_at_ms > now_ms)
        return;
    outbox->expires_at_ms = 0;
    for (uint32_t i = 0; i < outbox->count; i++) {
        struct frame *frame = frame_at(outbox, i);
        frame_expire(frame, now_ms);
        if (frame->expires_at_ms != 0)
            note_expiry(outbox, frame->expires_at_ms);
    }
}

bool outbox_push(struct outbox *outbox, struct frame *frame, size_t max_bytes)
{
    if (outbox->count > 0 && outbox->bytes + frame->length > max_bytes)
        return false;
    if (outbox->count == outbox->capacity)
        grow(outbox);
    outbox->ring[(outbox->first + outbox->count++) & (outbox->capacity - 1)] = frame_ref(frame);
    outbox->bytes += frame->length;
    if (frame->expires_at_ms != 0)
        note_expiry(outbox, frame->expires_at_ms);
    return true;
}

int outbox_peek(const struct outbox *outbox, struct iovec *vectors, int max)
{
    int count = outbox->count < (uint32_t)max ? (int)outbox->count : max;
    for (int i = 0; i < count; i++) {
        struct frame *frame = frame_at(outbox, (uint32_t)i);
        vectors[i] = (struct iovec){.iov_base = frame->bytes, .iov_len = frame->length};
    }
    return count;
}

struct frame *outbox_first(const struct outbox *outbox)
{
    return outbox->count == 0 ? NULL : frame_at(outbox, 0);
}

struct frame *outbox_first_stored(const struct outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->count; i++)
        if (frame_at(outbox, i)->sequence > 0)
            return frame_at(outbox, i);
    return NULL;
}

struct frame *outbox_pop(struct outbox *outbox)
{
    if (outbox->count == 0)
        return NULL;
    struct frame *frame = outbox->ring[outbox->first];
    outbox->first = (outbox->first + 1) & (outbox->capacity - 1);
    outbox->count--;
    outbox->bytes -= frame->length;
    return frame;
}

size_t outbox_consume(struct outbox *outbox, size_t bytes)
{
    while (outbox->count > 0 && bytes >= outbox->ring[outbox->first]->length) {
        struct frame *frame = outbox_pop(outbox);
        bytes -= frame->length;
        frame_unref(&frame);
    }
    return bytes;
}
