#ifndef HANSOM_JSON_TEXT_H
#define HANSOM_JSON_TEXT_H
/* Parsing of JSON that comes from outside. */
#include "base/base.h"

struct cJSON;

/* The whole text as one value, with nothing but white space around it and no zero byte in it. NULL: it is none. The
 * caller frees it with cJSON_Delete. */
struct cJSON *json_parse_whole(const char *text, size_t length);

#endif
