#include "base/utf8.h"

/* How many bytes follow a first byte, and the range of the second one (RFC 3629, section 4). -1: not a first byte. */
static int following(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

size_t utf8_char_length(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned char low, high;
    if (length == 0)
        return 0;
    if (*at < 0x80)
        return 1;
    int count = following(*at, &low, &high);
    if (count < 0 || length - 1 < (size_t)count)
        return 0;
    for (int i = 1; i <= count; i++) {
        if (at[i] < low || at[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return (size_t)count + 1;
}

bool utf8_is_valid(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        if ((unsigned char)text[at] < 0x80) {
            at++;
            continue;
        }
        size_t count = utf8_char_length(text + at, length - at);
        if (count == 0)
            return false;
        at += count;
    }
    return true;
}

size_t utf8_cut(const char *text, size_t length, size_t limit)
{
    if (length <= limit)
        return length;
    while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80)
        limit--;
    return limit;
}
