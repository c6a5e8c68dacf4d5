#ifndef HANSOM_TEST_FOLDER_H
#define HANSOM_TEST_FOLDER_H
/* A folder of a test's own under TMPDIR, so that whoever started the tests can sweep up after one that crashed. */
#include <stdio.h>
#include <stdlib.h>

/* For mkdtemp or mkstemp. */
static inline void test_folder_template(char *path, size_t size, const char *name)
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, size, "%s/hansom-%s-XXXXXX", parent != NULL && *parent != '\0' ? parent : "/tmp", name);
}

#endif
