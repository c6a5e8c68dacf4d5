#ifndef HANSOM_FILE_H
#define HANSOM_FILE_H
/* Whole small files. */
#include "base/strbuf.h"

/* Reads all of it (at most 1 MiB) into an initialised buffer; on failure false and *error_r is a text for the user,
 * naming the path, to be freed with mem_free. */
MUST_CHECK bool file_read(const char *path, struct strbuf *content, char **error_r);
/* A secret or one-line file: trailing newlines cut. */
MUST_CHECK bool file_read_line(const char *path, struct strbuf *content, char **error_r);

#endif
