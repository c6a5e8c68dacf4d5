#ifndef HANSOM_CONTENT_FIND_H
#define HANSOM_CONTENT_FIND_H
/* Finds contact data in a text. Pure. */
#include "content_rules.h"
#include "content_text.h"

struct content_span {
    size_t first, end; /* units */
    enum content_finding kind;
};

struct content_spans {
    struct content_span *items;
    size_t count, capacity;
};

void content_spans_finish(struct content_spans *spans);
void content_spans_add(struct content_spans *spans, size_t first, size_t end, enum content_finding kind);

/* Telephone and card numbers: runs of digits and number words. */
void content_find_numbers(const struct content_text *text, unsigned phone_digits, struct content_spans *spans);
void content_find_emails(const struct content_text *text, struct content_spans *spans);
/* After the e-mail addresses: what is part of one is no link. */
void content_find_links(const struct content_text *text, struct content_spans *spans);

#endif
