#ifndef HANSOM_UTF8_H
#define HANSOM_UTF8_H
#include "base/base.h"

/* Well-formed UTF-8 as RFC 3629 says: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(const char *text, size_t length);

#endif
