#ifndef HANSOM_HEADER_LIST_H
#define HANSOM_HEADER_LIST_H
/* The header lines of a request, in one piece of memory that is used again and again. */
#include "base/strbuf.h"

#define HEADER_LIST_MAX 16

struct header_list {
    struct strbuf text;
    size_t offsets[HEADER_LIST_MAX];
    const char *lines[HEADER_LIST_MAX]; /* after header_list_lines */
    size_t count;
};

void header_list_init(struct header_list *list);
void header_list_finish(struct header_list *list);
void header_list_clear(struct header_list *list);
void header_add(struct header_list *list, const char *name, const char *value);
void header_add_int(struct header_list *list, const char *name, int64_t value);
/* "name: value" of each; valid until the list changes. */
const char *const *header_list_lines(struct header_list *list);
/* Printable ASCII only: nothing that could end a header. */
bool header_value_is_sane(const char *value);

#endif
