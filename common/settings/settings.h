#ifndef HANSOM_SETTINGS_H
#define HANSOM_SETTINGS_H
/*
 * Settings from a table. A row says name, type, where it is kept, default, range, unit, help and whether it may change
 * without a restart; parsing, checks, --help, --print-config and the reference in docs/ are made from the rows.
 *
 * Lowest to highest: default, --config FILE ("name = value" lines), environment HANSOM_NAME, command line --name=value
 * (dashes and underscores are the same). A setting with SETTING_SECRET can be given as NAME_file, the path of a file
 * that holds it, and is printed as "(hidden)".
 *
 * A table is an array built with the SETTING_* macros over one struct:
 *
 *     static const struct setting gateway_settings[] = {
 *         SETTING_INT(struct gateway_settings, port, 8080, 0, 65535, "", "TCP port for clients; 0 = any free", 0),
 *         ...
 *     };
 */
#include "base/strbuf.h"

enum setting_type { SETTING_TYPE_INT, SETTING_TYPE_DOUBLE, SETTING_TYPE_BOOL, SETTING_TYPE_STRING, SETTING_TYPE_ENUM };

enum setting_flag {
    SETTING_RELOADABLE = 1, /* SIGHUP applies a change */
    SETTING_SECRET = 2,
    SETTING_REQUIRED = 4, /* a string that may not be empty */
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset; /* into the settings struct: int64_t, double, bool, char * (never NULL after load) or int (enum) */
    const char *default_text;
    double min, max;           /* numbers: inclusive range; strings: length range */
    const char *const *values; /* enum: NULL-terminated names, the int kept is the index */
    const char *unit;          /* "ms", "bytes", "/s", ... or "" */
    const char *help;          /* one sentence */
    unsigned flags;
};

/* The member's type is checked at compile time. */
#define SETTING_MEMBER(owner, member, type) (offsetof(owner, member) + 0 * sizeof((type *)0 == &((owner *)0)->member))
#define SETTING_INT(owner, member, default_value, low, high, unit_text, help_text, flag_bits)                          \
    {                                                                                                                  \
        .name = #member, .type = SETTING_TYPE_INT, .offset = SETTING_MEMBER(owner, member, int64_t),                   \
        .default_text = #default_value, .min = (low), .max = (high), .unit = unit_text, .help = help_text,             \
        .flags = flag_bits                                                                                             \
    }
#define SETTING_DOUBLE(owner, member, default_value, low, high, unit_text, help_text, flag_bits)                       \
    {                                                                                                                  \
        .name = #member, .type = SETTING_TYPE_DOUBLE, .offset = SETTING_MEMBER(owner, member, double),                 \
        .default_text = #default_value, .min = (low), .max = (high), .unit = unit_text, .help = help_text,             \
        .flags = flag_bits                                                                                             \
    }
#define SETTING_BOOL(owner, member, default_value, help_text, flag_bits)                                               \
    {                                                                                                                  \
        .name = #member, .type = SETTING_TYPE_BOOL, .offset = SETTING_MEMBER(owner, member, bool),                     \
        .default_text = #default_value, .unit = "", .help = help_text, .flags = flag_bits                              \
    }
/* Length 0..max_length. */
#define SETTING_STRING(owner, member, default_value, max_length, help_text, flag_bits)                                 \
    {                                                                                                                  \
        .name = #member, .type = SETTING_TYPE_STRING, .offset = SETTING_MEMBER(owner, member, char *),                 \
        .default_text = default_value, .max = (max_length), .unit = "", .help = help_text, .flags = flag_bits          \
    }
#define SETTING_ENUM(owner, member, default_value, names, help_text, flag_bits)                                        \
    {                                                                                                                  \
        .name = #member, .type = SETTING_TYPE_ENUM, .offset = SETTING_MEMBER(owner, member, int),                      \
        .default_text = default_value, .values = names, .unit = "", .help = help_text, .flags = flag_bits              \
    }

/* Several tables may describe one program: each with the struct it fills. */
struct settings_group {
    const char *title;
    const struct setting *rows;
    size_t count;
    void *values; /* zeroed struct that the rows describe */
    size_t values_size;
};

/*
 * Fills the groups from file, environment and arguments. False: every problem is in `errors`, one per line, naming the
 * setting, the value's source and what is allowed; values are then unusable but may be freed.
 * argv: only --name=value / --name value / --flag (bool) that the groups know; --config FILE; others are errors.
 */
MUST_CHECK bool settings_load(struct settings_group *groups, size_t group_count, int argc, char *const argv[],
                              struct strbuf *errors);
/* Frees the strings. */
void settings_free(struct settings_group *groups, size_t group_count);
/* Usage text: name, type, range, default, unit, help. */
void settings_help(const struct settings_group *groups, size_t group_count, struct strbuf *out);
/* "name = value" lines as they are in force, secrets hidden; can be read back with --config. */
void settings_print(const struct settings_group *groups, size_t group_count, struct strbuf *out);
/* The same tables as a Markdown reference. */
void settings_markdown(const struct settings_group *groups, size_t group_count, struct strbuf *out);

#endif
