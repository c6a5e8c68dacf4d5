#ifndef HANSOM_TEXT_CLEAN_H
#define HANSOM_TEXT_CLEAN_H
#include "base/strbuf.h"

/*
 * Makes a text fit to be shown, whatever went into it: well-formed UTF-8 (what is not becomes "?"), no control
 * characters, none of the characters that turn the writing direction by force (U+202A to U+202E), no spaces at its ends
 * or in a row, at most limit_bytes, a cut one ending in "…". keeps_lines: line feeds stay, else they are spaces.
 */
void text_clean(struct strbuf *text, size_t limit_bytes, bool keeps_lines);

#endif
