#include "core/text_clean.h"

#include "base/utf8.h"

#define ELLIPSIS "\xe2\x80\xa6"

/* What stands for a character: itself (NULL), another text, or nothing. */
static const char *substitute(const unsigned char *at, size_t length, bool keeps_lines)
{
    if (length == 0)
        return "?";
    if (*at == '\n')
        return keeps_lines ? NULL : " ";
    if (*at == '\t' || (*at == '\r' && !keeps_lines))
        return " ";
    if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0)) /* C0, DEL, C1 */
        return "";
    if (length == 3 && at[0] == 0xe2 && at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae)
        return at[2] <= 0xa9 ? keeps_lines ? "\n" : " " : ""; /* U+2028, U+2029: ends of lines; then directions */
    return NULL;
}

/* A space behind a space, a line's beginning or nothing is left out. */
static bool is_needless(const struct strbuf *out, const char *text, size_t length)
{
    if (length != 1 || *text != ' ')
        return false;
    return out->length == 0 || out->data[out->length - 1] == ' ' || out->data[out->length - 1] == '\n';
}

static void trim(struct strbuf *text)
{
    while (text->length > 0 && (text->data[text->length - 1] == ' ' || text->data[text->length - 1] == '\n'))
        text->length--;
    size_t start = strspn(text->data, "\n");
    if (start >= text->length)
        text->length = start = 0;
    memmove(text->data, text->data + start, text->length - start);
    text->length -= start;
    text->data[text->length] = '\0';
}

static void cut(struct strbuf *text, size_t limit_bytes)
{
    ASSERT(limit_bytes >= sizeof(ELLIPSIS) - 1);
    if (text->length <= limit_bytes)
        return;
    text->length = utf8_cut(text->data, text->length, limit_bytes - (sizeof(ELLIPSIS) - 1));
    strbuf_append_string(text, ELLIPSIS);
}

void text_clean(struct strbuf *text, size_t limit_bytes, bool keeps_lines)
{
    struct strbuf out;
    size_t at = 0;
    strbuf_init(&out, text->length);
    while (at < text->length) {
        const char *source = text->data + at;
        size_t length = utf8_char_length(source, text->length - at);
        const char *other = substitute((const unsigned char *)source, length, keeps_lines);
        size_t other_length = other == NULL ? length : strlen(other);
        other = other == NULL ? source : other;
        if (!is_needless(&out, other, other_length))
            strbuf_append(&out, other, other_length);
        at += length == 0 ? 1 : length;
    }
    trim(&out);
    cut(&out, limit_bytes);
    strbuf_finish(text);
    *text = out;
}
