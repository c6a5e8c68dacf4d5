/* Moving a token from the subprotocols to the Authorization header: bytes in, bytes out. */
#include <strings.h>

#include "arrival.h"

#define BEARER_PROTOCOL "hansom.bearer."
#define PROTOCOL_HEADER "Sec-WebSocket-Protocol:"
#define AUTHORIZATION_HEADER "Authorization:"

struct moving {
    struct strbuf *out;
    char *token; /* the first one found */
    bool has_authorization;
};

static bool is_header(const char *line, size_t length, const char *name)
{
    size_t name_length = strlen(name);
    return length >= name_length && strncasecmp(line, name, name_length) == 0;
}

/* Appends what is not a token. */
static void filter_offers(struct moving *moving, const char *list, size_t length)
{
    const char *end = list + length;
    const char *separator = "";
    struct strbuf kept;
    strbuf_init(&kept, length + 1);
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma != NULL ? comma : end;
        while (list < stop && (*list == ' ' || *list == '\t'))
            list++;
        size_t offer = (size_t)(stop - list), prefix = strlen(BEARER_PROTOCOL);
        while (offer > 0 && (list[offer - 1] == ' ' || list[offer - 1] == '\t'))
            offer--;
        bool is_token = offer > prefix && strncmp(list, BEARER_PROTOCOL, prefix) == 0;
        if (is_token && moving->token == NULL)
            moving->token = mem_strndup(list + prefix, offer - prefix);
        if (!is_token && offer > 0) {
            strbuf_append_string(&kept, separator);
            strbuf_append(&kept, list, offer);
            separator = ", ";
        }
        list = stop + 1;
    }
    if (kept.length > 0)
        strbuf_appendf(moving->out, PROTOCOL_HEADER " %s\r\n", kept.data);
    strbuf_finish(&kept);
}

static void copy_line(struct moving *moving, const char *line, size_t length)
{
    size_t name = strlen(PROTOCOL_HEADER);
    if (is_header(line, length, AUTHORIZATION_HEADER))
        moving->has_authorization = true;
    if (is_header(line, length, PROTOCOL_HEADER)) {
        filter_offers(moving, line + name, length - name);
        return;
    }
    strbuf_append(moving->out, line, length);
    strbuf_append(moving->out, "\r\n", 2);
}

bool arrival_move_token(const char *head, size_t length, struct strbuf *out)
{
    const char *end = memmem(head, length, "\r\n\r\n", 4);
    if (end == NULL || memmem(head, (size_t)(end - head), BEARER_PROTOCOL, strlen(BEARER_PROTOCOL)) == NULL)
        return false;
    struct moving moving = {.out = out};
    for (const char *line = head; line <= end;) {
        const char *stop = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        copy_line(&moving, line, (size_t)(stop - line));
        line = stop + 2;
    }
    if (moving.token != NULL && !moving.has_authorization)
        strbuf_appendf(out, AUTHORIZATION_HEADER " Bearer %s\r\n", moving.token);
    strbuf_append(out, "\r\n", 2);
    const char *rest = end + 4;
    strbuf_append(out, rest, length - (size_t)(rest - head));
    bool is_moved = moving.token != NULL;
    mem_free(moving.token);
    return is_moved;
}
