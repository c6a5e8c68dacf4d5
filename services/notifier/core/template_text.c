#include "core/template_text.h"

#include <cjson/cJSON.h>
#include <ctype.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "core/local_time.h"

#define PATH_MAX_BYTES 128
#define DECIMALS 6

enum piece_kind { PIECE_LITERAL, PIECE_VALUE, PIECE_TIME };

struct piece {
    enum piece_kind kind;
    enum time_style style; /* of PIECE_TIME */
    char *text;            /* literal, or path of the field */
};

struct template_text {
    struct piece *pieces;
    size_t count;
};

/* --- parsing --- */

static struct piece *add_piece(struct template_text *text, enum piece_kind kind, const char *bytes, size_t length)
{
    text->pieces = mem_realloc(text->pieces, (text->count + 1) * sizeof(*text->pieces));
    struct piece *piece = &text->pieces[text->count++];
    *piece = (struct piece){.kind = kind, .text = mem_strndup(bytes, length)};
    return piece;
}

bool template_path_is_valid(const char *path, size_t length)
{
    bool is_start = true; /* of a name */
    for (size_t i = 0; i < length; i++) {
        if (path[i] == '.' ? is_start : !isalnum((unsigned char)path[i]) && path[i] != '_' && path[i] != '-')
            return false;
        is_start = path[i] == '.';
    }
    return !is_start && length <= PATH_MAX_BYTES;
}

static bool set_style(struct piece *piece, const char *name, size_t length)
{
    static const struct {
        const char *name;
        enum time_style style;
    } rows[] = {{"time", TIME_STYLE_TIME}, {"date", TIME_STYLE_DATE}, {"datetime", TIME_STYLE_DATETIME}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) {
            piece->kind = PIECE_TIME;
            piece->style = rows[i].style;
            return true;
        }
    }
    return false;
}

/* What stands between the braces. */
static const char *parse_field(struct template_text *text, const char *field, size_t length)
{
    const char *bar = memchr(field, '|', length);
    size_t path_length = bar == NULL ? length : (size_t)(bar - field);
    if (!template_path_is_valid(field, path_length))
        return "a field's name consists of letters, digits, _ and -, with dots between";
    struct piece *piece = add_piece(text, PIECE_VALUE, field, path_length);
    if (bar != NULL && !set_style(piece, bar + 1, length - path_length - 1))
        return "behind | stands time, date or datetime";
    return NULL;
}

static const char *parse(struct template_text *text, const char *at)
{
    while (*at != '\0') {
        size_t literal = strcspn(at, "{}");
        if (literal > 0) {
            add_piece(text, PIECE_LITERAL, at, literal);
            at += literal;
        } else if (at[0] == at[1]) {
            add_piece(text, PIECE_LITERAL, at, 1);
            at += 2;
        } else if (*at == '}') {
            return "} without {; a brace itself is }}";
        } else {
            size_t length = strcspn(at + 1, "{}");
            if (at[1 + length] != '}')
                return "{ without }; a brace itself is {{";
            const char *problem = parse_field(text, at + 1, length);
            if (problem != NULL)
                return problem;
            at += length + 2;
        }
    }
    return NULL;
}

struct template_text *template_text_parse(const char *source, struct strbuf *error)
{
    struct template_text *text = mem_alloc(sizeof(*text));
    const char *problem = parse(text, source);
    if (problem != NULL) {
        strbuf_append_string(error, problem);
        template_text_destroy(&text);
    }
    return text;
}

void template_text_destroy(struct template_text **text_pointer)
{
    struct template_text *text = *text_pointer;
    *text_pointer = NULL;
    if (text == NULL)
        return;
    for (size_t i = 0; i < text->count; i++)
        mem_free(text->pieces[i].text);
    mem_free(text->pieces);
    mem_free(text);
}

/* --- filling in --- */

const cJSON *template_field(const cJSON *data, const char *path)
{
    char name[PATH_MAX_BYTES + 1];
    while (data != NULL && path != NULL) {
        const char *dot = strchr(path, '.');
        size_t length = dot == NULL ? strlen(path) : (size_t)(dot - path);
        ASSERT(length <= PATH_MAX_BYTES);
        memcpy(name, path, length);
        name[length] = '\0';
        data = cJSON_IsObject(data) ? cJSON_GetObjectItemCaseSensitive(data, name) : NULL;
        path = dot == NULL ? NULL : dot + 1;
    }
    return data;
}

static void append_value(struct strbuf *out, const cJSON *value)
{
    struct json_writer number;
    if (cJSON_IsString(value)) {
        strbuf_append_string(out, value->valuestring);
    } else if (cJSON_IsNumber(value)) {
        json_writer_init(&number, out);
        json_double(&number, value->valuedouble, DECIMALS);
    } else if (cJSON_IsBool(value)) {
        strbuf_append_string(out, cJSON_IsTrue(value) ? "true" : "false");
    }
}

static void append_time(struct strbuf *out, const cJSON *value, const struct piece *piece, const char *locale,
                        const char *timezone)
{
    int64_t unix_ms = 0;
    if (cJSON_IsString(value) && rfc3339_parse(value->valuestring, strlen(value->valuestring), &unix_ms))
        local_time_format(out, unix_ms, locale, timezone, piece->style);
}

void template_text_render(const struct template_text *text, const cJSON *data, const char *locale, const char *timezone,
                          struct strbuf *out)
{
    for (size_t i = 0; i < text->count; i++) {
        const struct piece *piece = &text->pieces[i];
        if (piece->kind == PIECE_LITERAL)
            strbuf_append_string(out, piece->text);
        else if (piece->kind == PIECE_VALUE)
            append_value(out, template_field(data, piece->text));
        else
            append_time(out, template_field(data, piece->text), piece, locale, timezone);
    }
}
