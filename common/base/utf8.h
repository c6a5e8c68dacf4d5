#ifndef HANSOM_UTF8_H
#define HANSOM_UTF8_H
#include "base/base.h"

/* Well-formed UTF-8 as RFC 3629 says: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(const char *text, size_t length);
/* How many bytes the first character has, 1..4; 0: there is none, or it is malformed. */
size_t utf8_char_length(const char *text, size_t length);
/* The length of the longest start of a well-formed text that has at most limit bytes and cuts no character. */
size_t utf8_cut(const char *text, size_t length, size_t limit);

#endif
