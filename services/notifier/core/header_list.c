#include "core/header_list.h"

void header_list_init(struct header_list *list)
{
    *list = (struct header_list){0};
    strbuf_init(&list->text, 1024);
}

void header_list_finish(struct header_list *list)
{
    strbuf_finish(&list->text);
    *list = (struct header_list){0};
}

void header_list_clear(struct header_list *list)
{
    strbuf_clear(&list->text);
    list->count = 0;
}

static void begin(struct header_list *list, const char *name)
{
    ASSERT(list->count < HEADER_LIST_MAX);
    list->offsets[list->count++] = list->text.length;
    strbuf_append_string(&list->text, name);
    strbuf_append(&list->text, ": ", 2);
}

void header_add(struct header_list *list, const char *name, const char *value)
{
    begin(list, name);
    strbuf_append(&list->text, value, strlen(value) + 1);
}

void header_add_int(struct header_list *list, const char *name, int64_t value)
{
    begin(list, name);
    strbuf_append_int(&list->text, value);
    strbuf_append_char(&list->text, '\0');
}

const char *const *header_list_lines(struct header_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->lines[i] = list->text.data + list->offsets[i];
    return list->lines;
}

bool header_value_is_sane(const char *value)
{
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < 0x20 || (unsigned char)*value > 0x7e)
            return false;
    return true;
}
