#ifndef HANSOM_CONTENT_RULES_H
#define HANSOM_CONTENT_RULES_H
/*
 * What people may write to each other, applied before anything is stored: well-formed text of bounded length without
 * control characters; telephone numbers, e-mail addresses, links and card numbers masked; words of a block list refused
 * or masked. Pure.
 *
 * Recognition sees through what is done to slip past it: full-width and other scripts' digits, invisible characters,
 * separators, digits spelled out in English, German, French, Spanish, Portuguese and Italian, "(at)" and "dot". It errs
 * towards masking, but leaves dates, times and amounts ("1,000,000") alone.
 */
#include "base/strbuf.h"

enum content_finding { FOUND_PHONE, FOUND_EMAIL, FOUND_LINK, FOUND_CARD, FOUND_BLOCKED, CONTENT_FINDING_COUNT };
/* "phone", "email", "link", "card", "blocked" */
const char *content_finding_name(enum content_finding finding);

struct content_config {
    uint32_t mask;          /* bits 1 << enum content_finding; FOUND_BLOCKED: masked rather than refused */
    size_t max_characters;  /* code points */
    unsigned phone_digits;  /* from this many digits on it is a telephone number, 5..15 */
    const char *block_list; /* lower-case words, one per line, # comments; NULL: none */
    /* Where attachments may lie: https origins, comma separated; "": there are none. */
    const char *attachment_origins;
    uint64_t attachment_max_bytes;
};

struct content_rules;
/* Copies everything. */
struct content_rules *content_rules_create(const struct content_config *config);
void content_rules_destroy(struct content_rules **rules);

#define CONTENT_MASK "***"
/* Appends what may be stored. *found_r: bits of what was masked. False with a text that names the field
 * ("data.content: ..."): it may not be stored; `out` is as it was. */
MUST_CHECK bool content_rules_apply(const struct content_rules *rules, const char *content, struct strbuf *out,
                                    uint32_t *found_r, char *error, size_t error_size);
/* May this be referred to? url is checked against the origins, the type against image, audio, video and PDF. */
MUST_CHECK bool content_rules_attachment(const struct content_rules *rules, const char *url, const char *content_type,
                                         uint64_t size_bytes, char *error, size_t error_size);
/* "phone,email" -> bits; false: a word that is none of the four. "" is 0. */
MUST_CHECK bool content_mask_parse(const char *list, uint32_t *mask_r);

#endif
