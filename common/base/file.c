#include "base/file.h"

#include <errno.h>
#include <stdio.h>

#define FILE_SIZE_MAX (1024 * 1024)

static bool fail(char **error_r, const char *path, const char *why)
{
    struct strbuf text;
    strbuf_init(&text, 128);
    strbuf_appendf(&text, "%s: %s", path, why);
    *error_r = text.data;
    return false;
}

bool file_read(const char *path, struct strbuf *content, char **error_r)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return fail(error_r, path, strerror(errno));
    size_t got;
    do {
        char *room = strbuf_reserve(content, 4096);
        got = fread(room, 1, 4096, stream);
        strbuf_grown(content, got);
    } while (got > 0 && content->length <= FILE_SIZE_MAX);
    bool is_broken = ferror(stream) != 0;
    fclose(stream);
    if (is_broken)
        return fail(error_r, path, "cannot be read");
    return content->length <= FILE_SIZE_MAX || fail(error_r, path, "larger than 1 MiB");
}

bool file_read_line(const char *path, struct strbuf *content, char **error_r)
{
    if (!file_read(path, content, error_r))
        return false;
    while (content->length > 0 && strchr("\r\n", content->data[content->length - 1]) != NULL)
        content->data[--content->length] = '\0';
    return true;
}
