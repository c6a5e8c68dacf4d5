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

bool utf8_is_valid(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    while (at < end) {
        unsigned char low, high;
        if (*at < 0x80) {
            at++;
            continue;
        }
        int count = following(*at++, &low, &high);
        if (count < 0 || end - at < count)
            return false;
        for (; count > 0; count--, at++) {
            if (*at < low || *at > high)
                return false;
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}
