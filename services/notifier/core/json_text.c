#include "core/json_text.h"

#include <cjson/cJSON.h>
#include <ctype.h>

struct cJSON *json_parse_whole(const char *text, size_t length)
{
    const char *end = NULL;
    cJSON *root = memchr(text, '\0', length) != NULL ? NULL : cJSON_ParseWithLengthOpts(text, length, &end, false);
    while (root != NULL && end < text + length && isspace((unsigned char)*end))
        end++;
    if (root != NULL && end == text + length)
        return root;
    cJSON_Delete(root);
    return NULL;
}
