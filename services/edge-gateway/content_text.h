#ifndef HANSOM_CONTENT_TEXT_H
#define HANSOM_CONTENT_TEXT_H
/* A text as recognition sees it: one unit per visible character, folded to plain lower-case where that is possible. */
#include "base/base.h"

struct content_unit {
    uint32_t folded; /* lower-case; digits and look-alike punctuation of other scripts as ASCII */
    uint32_t offset; /* byte in the original text */
};

struct content_text {
    struct content_unit *units; /* count + 1: the last one has folded 0 and the text's length as offset */
    size_t count;
    size_t characters; /* code points of the original, the invisible ones too */
};

/* text must be well-formed UTF-8. */
void content_text_init(struct content_text *text, const char *utf8);
void content_text_finish(struct content_text *text);
/* Nothing in it can be seen. */
bool content_text_is_blank(const struct content_text *text);
/* The next code point of well-formed UTF-8; *at moves behind it. */
uint32_t content_code_point(const char **at);

/* The folded character there; 0 behind the end. */
uint32_t content_unit_at(const struct content_text *text, size_t at);
/* Does this ASCII text stand there? */
bool content_stands_at(const struct content_text *text, size_t at, const char *word);

bool unit_is_digit(uint32_t folded);
/* Letter of any script, or digit. */
bool unit_is_word(uint32_t folded);

#endif
