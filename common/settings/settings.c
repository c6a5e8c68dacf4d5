#include "settings/settings.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/file.h"

#define NAME_SIZE 96
#define ENVIRONMENT_PREFIX "HANSOM_"

struct loader {
    struct settings_group *groups;
    size_t group_count;
    struct strbuf *errors;
    bool has_failed;
};

static void complain(struct loader *loader, const char *name, const char *source, const char *what)
{
    loader->has_failed = true;
    strbuf_appendf(loader->errors, "%s (%s): %s\n", name, source, what);
}

static void *value_of(const struct settings_group *group, const struct setting *row)
{
    return (char *)group->values + row->offset;
}

/* strtoll and strtod would skip blanks. */
static bool starts_number(const char *text)
{
    return isdigit((unsigned char)text[*text == '-']);
}

static bool parse_int(const struct setting *row, const char *text, int64_t *value)
{
    char *end = NULL;
    if (!starts_number(text))
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || (double)number < row->min || (double)number > row->max)
        return false;
    *value = number;
    return true;
}

static bool parse_double(const struct setting *row, const char *text, double *value)
{
    char *end = NULL;
    if (!starts_number(text) || strpbrk(text, "xX") != NULL)
        return false;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number) || number < row->min || number > row->max)
        return false;
    *value = number;
    return true;
}

static bool parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_equal(text, yes[i]) || str_equal(text, no[i])) {
            *value = str_equal(text, yes[i]);
            return true;
        }
    }
    return false;
}

static bool parse_enum(const struct setting *row, const char *text, int *value)
{
    for (int i = 0; row->values[i] != NULL; i++) {
        if (str_equal(text, row->values[i])) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool parse_string(const struct setting *row, const char *text, char **value)
{
    if ((double)strlen(text) > row->max)
        return false;
    mem_free(*value);
    *value = mem_strdup(text);
    return true;
}

static bool parse_value(const struct setting *row, const char *text, void *value)
{
    switch (row->type) {
    case SETTING_TYPE_INT:
        return parse_int(row, text, value);
    case SETTING_TYPE_DOUBLE:
        return parse_double(row, text, value);
    case SETTING_TYPE_BOOL:
        return parse_bool(text, value);
    case SETTING_TYPE_STRING:
        return parse_string(row, text, value);
    case SETTING_TYPE_ENUM:
        return parse_enum(row, text, value);
    }
    return false;
}

static void explain_allowed(const struct setting *row, struct strbuf *out)
{
    switch (row->type) {
    case SETTING_TYPE_INT:
    case SETTING_TYPE_DOUBLE:
        strbuf_appendf(out, "must be a%s from %.15g to %.15g", row->type == SETTING_TYPE_INT ? "n integer" : " number",
                       row->min, row->max);
        break;
    case SETTING_TYPE_BOOL:
        strbuf_append_string(out, "must be true or false");
        break;
    case SETTING_TYPE_STRING:
        strbuf_appendf(out, "must have at most %.0f characters", row->max);
        break;
    case SETTING_TYPE_ENUM:
        strbuf_append_string(out, "must be one of");
        for (int i = 0; row->values[i] != NULL; i++)
            strbuf_appendf(out, " %s", row->values[i]);
        break;
    }
}

static void assign(struct loader *loader, const struct settings_group *group, const struct setting *row,
                   const char *text, const char *source)
{
    if (parse_value(row, text, value_of(group, row)))
        return;
    struct strbuf what;
    strbuf_init(&what, 128);
    if ((row->flags & SETTING_SECRET) == 0)
        strbuf_appendf(&what, "\"%s\" is not allowed: ", text);
    explain_allowed(row, &what);
    complain(loader, row->name, source, what.data);
    strbuf_finish(&what);
}

static void assign_from_file(struct loader *loader, const struct settings_group *group, const struct setting *row,
                             const char *path, const char *source)
{
    struct strbuf content;
    char *error = NULL;
    strbuf_init(&content, 256);
    if (file_read_line(path, &content, &error)) {
        assign(loader, group, row, content.data, source);
    } else {
        complain(loader, row->name, source, error);
        mem_free(error);
    }
    strbuf_finish(&content);
}

/* Lower case, dashes to underscores. */
static void normalise(const char *name, size_t length, char out[NAME_SIZE])
{
    if (length >= NAME_SIZE)
        length = NAME_SIZE - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    out[length] = '\0';
}

/* Finds the row of a name; *is_file_r when it is NAME_file of a secret. */
static const struct setting *find_row(const struct loader *loader, const char *name,
                                      const struct settings_group **group_r, bool *is_file_r)
{
    size_t length = strlen(name);
    for (size_t g = 0; g < loader->group_count; g++) {
        *group_r = &loader->groups[g];
        for (size_t i = 0; i < loader->groups[g].count; i++) {
            const struct setting *row = &loader->groups[g].rows[i];
            size_t row_length = strlen(row->name);
            *is_file_r = (row->flags & SETTING_SECRET) != 0 && length == row_length + 5 &&
                         strncmp(name, row->name, row_length) == 0 && str_equal(name + row_length, "_file");
            if (*is_file_r || str_equal(name, row->name))
                return row;
        }
    }
    return NULL;
}

static void assign_by_name(struct loader *loader, const char *name, const char *value, const char *source)
{
    const struct settings_group *group;
    bool is_file;
    const struct setting *row = find_row(loader, name, &group, &is_file);
    if (row == NULL)
        complain(loader, name, source, "there is no such setting");
    else if (is_file)
        assign_from_file(loader, group, row, value, source);
    else
        assign(loader, group, row, value, source);
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static void load_line(struct loader *loader, char *line, const char *source)
{
    line = trim(line);
    if (*line == '\0' || *line == '#')
        return;
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        line[strcspn(line, " \t")] = '\0'; /* the rest may be a secret */
        complain(loader, line, source, "must be \"name = value\"");
        return;
    }
    *equals = '\0';
    char name[NAME_SIZE];
    char *raw_name = trim(line);
    normalise(raw_name, strlen(raw_name), name);
    assign_by_name(loader, name, trim(equals + 1), source);
}

static void load_config_file(struct loader *loader, const char *path)
{
    struct strbuf content;
    char *error = NULL;
    strbuf_init(&content, 1024);
    if (!file_read(path, &content, &error)) {
        complain(loader, "config", "command line", error);
        mem_free(error);
    }
    char *cursor = content.data;
    unsigned number = 0;
    for (char *line; (line = strsep(&cursor, "\n")) != NULL;) {
        struct strbuf source;
        strbuf_init(&source, 128);
        strbuf_appendf(&source, "%s:%u", path, ++number);
        load_line(loader, line, source.data);
        strbuf_finish(&source);
    }
    strbuf_finish(&content);
}

static const char *environment_value(const char *name, const char *suffix, char out_name[NAME_SIZE])
{
    snprintf(out_name, NAME_SIZE, ENVIRONMENT_PREFIX "%s%s", name, suffix);
    for (char *c = out_name; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return getenv(out_name);
}

static void load_environment_row(struct loader *loader, const struct settings_group *group, const struct setting *row)
{
    char variable[NAME_SIZE];
    const char *value = environment_value(row->name, "", variable);
    if (value != NULL)
        assign(loader, group, row, value, variable);
    if ((row->flags & SETTING_SECRET) == 0)
        return;
    const char *path = environment_value(row->name, "_file", variable);
    if (path != NULL)
        assign_from_file(loader, group, row, path, variable);
}

/* Returns how many arguments it used. */
static int load_argument(struct loader *loader, int left, char *const argv[])
{
    const char *argument = argv[0];
    ASSERT(argument != NULL);
    if (strncmp(argument, "--", 2) != 0) {
        complain(loader, argument, "command line", "not an option");
        return 1;
    }
    char name[NAME_SIZE];
    const char *equals = strchr(argument, '=');
    normalise(argument + 2, equals != NULL ? (size_t)(equals - argument - 2) : strlen(argument + 2), name);
    bool is_config = strncmp(argument, "--config", 8) == 0 && str_equal(name, "config");
    if (equals != NULL) {
        if (!is_config)
            assign_by_name(loader, name, equals + 1, "command line");
        return 1;
    }
    const struct settings_group *group;
    bool is_file;
    const struct setting *row = find_row(loader, name, &group, &is_file);
    if (row != NULL && row->type == SETTING_TYPE_BOOL) {
        assign(loader, group, row, "true", "command line");
        return 1;
    }
    if (left < 2) {
        complain(loader, name, "command line",
                 row == NULL && !is_config ? "there is no such setting" : "needs a value");
        return 1;
    }
    if (!is_config)
        assign_by_name(loader, name, argv[1], "command line");
    return 2;
}

static const char *config_path(int argc, char *const argv[])
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
        if (str_equal(argv[i], "--config") && i + 1 < argc)
            return argv[i + 1];
    }
    return NULL;
}

typedef void each_row(struct loader *loader, const struct settings_group *group, const struct setting *row);

static void for_each_row(struct loader *loader, each_row *visit)
{
    for (size_t g = 0; g < loader->group_count; g++)
        for (size_t i = 0; i < loader->groups[g].count; i++)
            visit(loader, &loader->groups[g], &loader->groups[g].rows[i]);
}

static void load_default(struct loader *loader, const struct settings_group *group, const struct setting *row)
{
    assign(loader, group, row, row->default_text, "default");
}

static void check_required(struct loader *loader, const struct settings_group *group, const struct setting *row)
{
    if ((row->flags & SETTING_REQUIRED) != 0 && **(char **)value_of(group, row) == '\0')
        complain(loader, row->name, "not given", row->help);
}

bool settings_load(struct settings_group *groups, size_t group_count, int argc, char *const argv[],
                   struct strbuf *errors)
{
    struct loader loader = {.groups = groups, .group_count = group_count, .errors = errors};
    for_each_row(&loader, load_default);
    const char *path = config_path(argc, argv);
    if (path != NULL)
        load_config_file(&loader, path);
    for_each_row(&loader, load_environment_row);
    for (int i = 0; i < argc;)
        i += load_argument(&loader, argc - i, argv + i);
    for_each_row(&loader, check_required);
    return !loader.has_failed;
}

static void free_row(struct loader *loader, const struct settings_group *group, const struct setting *row)
{
    (void)loader;
    if (row->type != SETTING_TYPE_STRING)
        return;
    char **text = value_of(group, row);
    mem_free(*text);
    *text = NULL;
}

void settings_free(struct settings_group *groups, size_t group_count)
{
    struct loader loader = {.groups = groups, .group_count = group_count};
    for_each_row(&loader, free_row);
}
