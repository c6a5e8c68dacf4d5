#include <stdio.h>

#include "settings/settings.h"

static const char *type_name(enum setting_type type)
{
    static const char *const names[] = {"integer", "number", "true|false", "text", "choice"};
    return names[type];
}

static void append_range(const struct setting *row, struct strbuf *out)
{
    if (row->type == SETTING_TYPE_INT || row->type == SETTING_TYPE_DOUBLE)
        strbuf_appendf(out, "%.15g to %.15g", row->min, row->max);
    else if (row->type == SETTING_TYPE_ENUM)
        for (int i = 0; row->values[i] != NULL; i++)
            strbuf_appendf(out, "%s%s", i > 0 ? "|" : "", row->values[i]);
    else
        strbuf_append_string(out, type_name(row->type));
}

static void append_help(const struct setting *row, struct strbuf *out)
{
    strbuf_appendf(out, "  --%s=", row->name);
    append_range(row, out);
    if (*row->unit != '\0')
        strbuf_appendf(out, " %s", row->unit);
    strbuf_appendf(out, "\n        %s.", row->help);
    if (*row->default_text != '\0')
        strbuf_appendf(out, " Default: %s.", row->default_text);
    if ((row->flags & SETTING_REQUIRED) != 0)
        strbuf_append_string(out, " Required.");
    if ((row->flags & SETTING_SECRET) != 0)
        strbuf_appendf(out, " Or from a file: --%s_file=PATH.", row->name);
    if ((row->flags & SETTING_RELOADABLE) != 0)
        strbuf_append_string(out, " SIGHUP applies a change.");
    strbuf_append_char(out, '\n');
}

void settings_help(const struct settings_group *groups, size_t group_count, struct strbuf *out)
{
    for (size_t g = 0; g < group_count; g++) {
        strbuf_appendf(out, "\n%s:\n", groups[g].title);
        for (size_t i = 0; i < groups[g].count; i++)
            append_help(&groups[g].rows[i], out);
    }
}

static void append_value(const struct settings_group *group, const struct setting *row, struct strbuf *out)
{
    const char *value = (const char *)group->values + row->offset;
    switch (row->type) {
    case SETTING_TYPE_INT:
        strbuf_append_int(out, *(const int64_t *)(const void *)value);
        break;
    case SETTING_TYPE_DOUBLE:
        strbuf_appendf(out, "%.10g", *(const double *)(const void *)value);
        break;
    case SETTING_TYPE_BOOL:
        strbuf_append_string(out, *(const bool *)value ? "true" : "false");
        break;
    case SETTING_TYPE_STRING:
        strbuf_append_string(out, *(char *const *)(const void *)value);
        break;
    case SETTING_TYPE_ENUM:
        strbuf_append_string(out, row->values[*(const int *)(const void *)value]);
        break;
    }
}

void settings_print(const struct settings_group *groups, size_t group_count, struct strbuf *out)
{
    for (size_t g = 0; g < group_count; g++) {
        strbuf_appendf(out, "# %s\n", groups[g].title);
        for (size_t i = 0; i < groups[g].count; i++) {
            const struct setting *row = &groups[g].rows[i];
            bool is_hidden = (row->flags & SETTING_SECRET) != 0;
            strbuf_appendf(out, "%s%s = ", is_hidden ? "# " : "", row->name);
            if (is_hidden)
                strbuf_append_string(out, "(hidden)");
            else
                append_value(&groups[g], row, out);
            strbuf_append_char(out, '\n');
        }
    }
}

/* A bar would begin the next cell. */
static void append_cell(const char *content, struct strbuf *out)
{
    for (const char *c = content; *c != '\0'; c++) {
        if (*c == '|')
            strbuf_append_char(out, '\\');
        strbuf_append_char(out, *c);
    }
}

static void append_markdown(const struct setting *row, struct strbuf *out)
{
    struct strbuf range;
    strbuf_init(&range, 64);
    append_range(row, &range);
    strbuf_appendf(out, "| `%s` | ", row->name);
    append_cell(range.data, out);
    strbuf_appendf(out, " | %s | ", row->unit);
    append_cell(row->default_text, out);
    strbuf_append_string(out, " | ");
    append_cell(row->help, out);
    strbuf_finish(&range);
    if ((row->flags & SETTING_REQUIRED) != 0)
        strbuf_append_string(out, ". Required");
    if ((row->flags & SETTING_SECRET) != 0)
        strbuf_appendf(out, ". Secret: also as `%s_file`", row->name);
    if ((row->flags & SETTING_RELOADABLE) != 0)
        strbuf_append_string(out, ". SIGHUP applies a change");
    strbuf_append_string(out, " |\n");
}

void settings_markdown(const struct settings_group *groups, size_t group_count, struct strbuf *out)
{
    strbuf_append_string(out, "| setting | allowed | unit | default | what |\n|---|---|---|---|---|\n");
    for (size_t g = 0; g < group_count; g++)
        for (size_t i = 0; i < groups[g].count; i++)
            append_markdown(&groups[g].rows[i], out);
}
