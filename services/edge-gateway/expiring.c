#include "expiring.h"

struct expiring_part {
    int64_t expires_at_ms;
    size_t offset, length;
    char *tombstone; /* not longer than length */
};

void expiring_finish(struct expiring *expiring)
{
    for (uint32_t i = 0; i < expiring->count; i++)
        mem_free(expiring->parts[i].tombstone);
    mem_free(expiring->parts);
    *expiring = (struct expiring){0};
}

static void note(struct expiring *expiring, const struct expiring_part *part)
{
    if (expiring->count == expiring->capacity) {
        expiring->capacity = expiring->capacity == 0 ? 1 : expiring->capacity * 2;
        expiring->parts = mem_realloc(expiring->parts, expiring->capacity * sizeof(*expiring->parts));
    }
    expiring->parts[expiring->count++] = *part;
}

static char *make_tombstone(const Hansom__UserEvent *event)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 192);
    json_writer_init(&json, &text);
    user_event_tombstone_write(&json, event);
    char *tombstone = strbuf_take(&text);
    strbuf_finish(&text);
    return tombstone;
}

void expiring_write_event(struct expiring *expiring, struct json_writer *json, const Hansom__UserEvent *event,
                          int64_t now_ms)
{
    if (event->expires_at_ms > 0 && event->expires_at_ms <= now_ms) {
        user_event_tombstone_write(json, event);
        return;
    }
    struct expiring_part part = {.expires_at_ms = event->expires_at_ms, .offset = json->out->length};
    user_event_write(json, event);
    if (event->expires_at_ms <= 0)
        return;
    part.tombstone = make_tombstone(event);
    while (json->out->length - part.offset < strlen(part.tombstone))
        strbuf_append_char(json->out, ' ');
    part.length = json->out->length - part.offset;
    note(expiring, &part);
}

int64_t expiring_next_ms(const struct expiring *expiring)
{
    int64_t next_ms = 0;
    for (uint32_t i = 0; i < expiring->count; i++)
        if (next_ms == 0 || expiring->parts[i].expires_at_ms < next_ms)
            next_ms = expiring->parts[i].expires_at_ms;
    return next_ms;
}

void expiring_apply(struct expiring *expiring, char *text, int64_t now_ms)
{
    for (uint32_t i = 0; i < expiring->count;) {
        struct expiring_part *part = &expiring->parts[i];
        if (part->expires_at_ms > now_ms) {
            i++;
            continue;
        }
        size_t length = strlen(part->tombstone);
        memcpy(text + part->offset, part->tombstone, length);
        memset(text + part->offset + length, ' ', part->length - length);
        mem_free(part->tombstone);
        *part = expiring->parts[--expiring->count];
    }
}
