#ifndef HANSOM_OPTIONS_H
#define HANSOM_OPTIONS_H
/* The options of a command, from a table. */
#include <stddef.h>

#include "base/base.h"

struct option_row {
    const char *name; /* --NAME; a table ends with a row without one */
    size_t offset;    /* of its field */
    bool is_flag;     /* takes no value: the field is a bool, else a const char * */
};

/* The field must have the type that the row says: another one does not compile. */
#define OPTION_OFFSET(type, field, wanted)                                                                             \
    (offsetof(type, field) + 0 * sizeof(_Generic(((type *)0)->field, wanted : 1)))
#define OPTION(name, type, field)                                                                                      \
    {                                                                                                                  \
        name, OPTION_OFFSET(type, field, const char *), false                                                          \
    }
#define OPTION_FLAG(name, type, field)                                                                                 \
    {                                                                                                                  \
        name, OPTION_OFFSET(type, field, bool), true                                                                   \
    }
#define OPTIONS_END                                                                                                    \
    {                                                                                                                  \
        NULL, 0, false                                                                                                 \
    }

/* Those of every command that asks backoffice; the field is `struct internal_api api`. */
#define INTERNAL_OPTIONS(type) OPTION("internal", type, api.url), OPTION("api-key-file", type, api.api_key_file)
#define INTERNAL_USAGE                                                                                                 \
    "  --internal URL      backoffice (HANSOM_INTERNAL, else http://127.0.0.1:8090)\n"                                 \
    "  --api-key-file F    file with the API key (HANSOM_API_KEY_FILE, else var/secrets/api_key)\n"

/*
 * Fills the fields of `values`; those that are not given keep what they hold. The other arguments begin at
 * argv[optind]. -1: go on; else the exit code: --help (the usage is printed), or a word on stderr.
 */
int options_parse(int argc, char **argv, const char *usage, const struct option_row *rows, void *values);

#endif
