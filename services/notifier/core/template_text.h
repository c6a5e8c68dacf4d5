#ifndef HANSOM_TEMPLATE_TEXT_H
#define HANSOM_TEMPLATE_TEXT_H
/* One text of a template: pieces that stand there and fields that are filled in. See templates.h for the format. */
#include "base/strbuf.h"

struct template_text;
struct cJSON;

/* NULL with a text appended to error. */
struct template_text *template_text_parse(const char *text, struct strbuf *error);
/* Clears the pointer; NULL is allowed. */
void template_text_destroy(struct template_text **text);
/* Appends. data may be NULL: then no field is there. */
void template_text_render(const struct template_text *text, const struct cJSON *data, const char *locale,
                          const char *timezone, struct strbuf *out);

/* [A-Za-z0-9_-] and dots between. */
bool template_path_is_valid(const char *path, size_t length);
/* NULL if there is none; dots go deeper. */
const struct cJSON *template_field(const struct cJSON *data, const char *path);

#endif
