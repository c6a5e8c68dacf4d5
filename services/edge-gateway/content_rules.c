#include "content_rules.h"

#include <stdio.h>

#include "base/hashmap.h"
#include "base/utf8.h"
#include "content_find.h"

#define WORD_BYTES_MAX 64

struct content_rules {
    uint32_t mask;
    size_t max_characters;
    unsigned phone_digits;
    struct hashmap *blocked; /* word -> itself; NULL: no list */
    char *attachment_origins;
    uint64_t attachment_max_bytes;
};

static const char *const finding_names[] = {"phone", "email", "link", "card", "blocked"};

const char *content_finding_name(enum content_finding finding)
{
    return finding_names[finding];
}

bool content_mask_parse(const char *list, uint32_t *mask_r)
{
    *mask_r = 0;
    char *copy = mem_strdup(list);
    bool is_good = true;
    for (char *cursor = copy, *word; is_good && (word = strsep(&cursor, ", ")) != NULL;) {
        uint32_t bits = 0;
        for (unsigned i = 0; i < FOUND_BLOCKED; i++)
            if (str_equal(word, finding_names[i]))
                bits = 1u << i;
        is_good = bits != 0 || *word == '\0';
        *mask_r |= bits;
    }
    mem_free(copy);
    return is_good;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void block_word(struct content_rules *rules, char *line)
{
    line[strcspn(line, "\r#")] = '\0';
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == ' ')
        line[--length] = '\0';
    if (length > 0)
        hashmap_set(rules->blocked, line, rules);
}

struct content_rules *content_rules_create(const struct content_config *config)
{
    struct content_rules *rules = mem_alloc(sizeof(*rules));
    rules->mask = config->mask;
    rules->max_characters = config->max_characters;
    rules->phone_digits = config->phone_digits;
    rules->attachment_origins = mem_strdup(config->attachment_origins);
    rules->attachment_max_bytes = config->attachment_max_bytes;
    if (config->block_list == NULL)
        return rules;
    rules->blocked = hashmap_create();
    char *copy = mem_strdup(config->block_list);
    for (char *cursor = copy, *line; (line = strsep(&cursor, "\n")) != NULL;)
        block_word(rules, line);
    mem_free(copy);
    return rules;
}

void content_rules_destroy(struct content_rules **rules_pointer)
{
    struct content_rules *rules = *rules_pointer;
    *rules_pointer = NULL;
    if (rules == NULL)
        return;
    hashmap_destroy(&rules->blocked);
    mem_free(rules->attachment_origins);
    mem_free(rules);
}

/* --- form --------------------------------------------------------------------------------------------------------- */

static bool refuse(char *error, size_t error_size, const char *field, const char *what)
{
    snprintf(error, error_size, "data.%s: %s", field, what);
    return false;
}

/* C0 but tab and newline, DEL, C1, and the overrides that make text read backwards. */
static bool is_forbidden(uint32_t point)
{
    return (point < 0x20 && point != '\t' && point != '\n' && point != '\r') || (point >= 0x7f && point < 0xa0) ||
           point == 0x202d || point == 0x202e;
}

static bool check_form(const struct content_rules *rules, const char *content, char *error, size_t error_size)
{
    if (!utf8_is_valid(content, strlen(content)))
        return refuse(error, error_size, "content", "must be UTF-8");
    size_t characters = 0;
    for (const char *at = content; *at != '\0'; characters++)
        if (is_forbidden(content_code_point(&at)))
            return refuse(error, error_size, "content", "must not contain control characters");
    if (characters > rules->max_characters) {
        char what[64];
        snprintf(what, sizeof(what), "must be at most %zu characters", rules->max_characters);
        return refuse(error, error_size, "content", what);
    }
    return true;
}

/* --- block list --------------------------------------------------------------------------------------------------- */

/* Digits that stand for letters. */
static char plain(char letter)
{
    static const char digits[] = "0134578", letters[] = "oieastb";
    const char *found = letter == '\0' ? NULL : strchr(digits, letter);
    return found == NULL ? letter : letters[found - digits];
}

static bool is_blocked(const struct content_rules *rules, char *word)
{
    if (hashmap_get(rules->blocked, word) != NULL)
        return true;
    for (char *at = word; *at != '\0'; at++)
        *at = plain(*at);
    return hashmap_get(rules->blocked, word) != NULL;
}

static size_t put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(leads[length] | point);
    return length;
}

static void find_blocked(const struct content_rules *rules, const struct content_text *text,
                         struct content_spans *spans)
{
    for (size_t at = 0; at < text->count;) {
        char word[WORD_BYTES_MAX + 5];
        size_t first = at, bytes = 0;
        for (; unit_is_word(text->units[at].folded); at++)
            if (bytes < WORD_BYTES_MAX)
                bytes += put_utf8(word + bytes, text->units[at].folded);
        word[bytes] = '\0';
        if (at > first && is_blocked(rules, word))
            content_spans_add(spans, first, at, FOUND_BLOCKED);
        if (at == first)
            at++;
    }
}

/* --- masking ------------------------------------------------------------------------------------------------------ */

static int compare_spans(const void *left, const void *right)
{
    const struct content_span *a = left, *b = right;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void append_plain(struct strbuf *out, const char *from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (from[i] != '\r')
            strbuf_append_char(out, from[i]);
}

static void write_masked(const struct content_text *text, const char *content, struct content_spans *spans,
                         struct strbuf *out)
{
    size_t done = 0; /* bytes of content */
    if (spans->count > 0)
        qsort(spans->items, spans->count, sizeof(*spans->items), compare_spans);
    for (size_t i = 0; i < spans->count; i++) {
        size_t first = text->units[spans->items[i].first].offset;
        /* Up to the next visible character, so that nothing invisible of it is left. */
        size_t end = text->units[spans->items[i].end].offset;
        if (first >= done) {
            append_plain(out, content + done, first - done);
            strbuf_append_string(out, CONTENT_MASK);
        }
        done = end > done ? end : done;
    }
    append_plain(out, content + done, strlen(content) - done);
}

static void find_all(const struct content_rules *rules, const struct content_text *text, struct content_spans *spans)
{
    if ((rules->mask & 1u << FOUND_EMAIL) != 0)
        content_find_emails(text, spans);
    if ((rules->mask & 1u << FOUND_LINK) != 0)
        content_find_links(text, spans);
    if ((rules->mask & (1u << FOUND_PHONE | 1u << FOUND_CARD)) != 0)
        content_find_numbers(text, rules->phone_digits, spans);
    if (rules->blocked != NULL)
        find_blocked(rules, text, spans);
}

/* Keeps what is to be masked; returns the bits of everything that was found. */
static uint32_t keep_masked(const struct content_rules *rules, struct content_spans *spans)
{
    uint32_t found = 0;
    size_t kept = 0;
    for (size_t i = 0; i < spans->count; i++) {
        found |= 1u << spans->items[i].kind;
        if ((rules->mask & 1u << spans->items[i].kind) != 0)
            spans->items[kept++] = spans->items[i];
    }
    spans->count = kept;
    return found;
}

bool content_rules_apply(const struct content_rules *rules, const char *content, struct strbuf *out, uint32_t *found_r,
                         char *error, size_t error_size)
{
    *found_r = 0;
    if (!check_form(rules, content, error, error_size))
        return false;
    struct content_text text;
    struct content_spans spans = {0};
    content_text_init(&text, content);
    find_all(rules, &text, &spans);
    uint32_t found = keep_masked(rules, &spans);
    bool is_refused = (found & ~rules->mask & 1u << FOUND_BLOCKED) != 0;
    if (is_refused) {
        refuse(error, error_size, "content", "contains a word that is not allowed");
    } else {
        *found_r = found & rules->mask;
        write_masked(&text, content, &spans, out);
    }
    content_spans_finish(&spans);
    content_text_finish(&text);
    return !is_refused;
}

/* --- attachments -------------------------------------------------------------------------------------------------- */

static bool has_origin(const char *list, const char *url)
{
    while (*list != '\0') {
        list += strspn(list, ", ");
        size_t length = strcspn(list, ", ");
        if (length > 0 && strncmp(list, url, length) == 0 && url[length] == '/')
            return true;
        list += length;
    }
    return false;
}

static bool is_offered_type(const char *type)
{
    bool is_medium =
        strncmp(type, "image/", 6) == 0 || strncmp(type, "audio/", 6) == 0 || strncmp(type, "video/", 6) == 0;
    if (!is_medium)
        return str_equal(type, "application/pdf");
    /* A name as RFC 6838 restricts it: it ends in somebody's HTML. */
    const char *subtype = type + 6;
    size_t length = strspn(subtype, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+");
    return length > 0 && subtype[length] == '\0';
}

bool content_rules_attachment(const struct content_rules *rules, const char *url, const char *content_type,
                              uint64_t size_bytes, char *error, size_t error_size)
{
    if (*rules->attachment_origins == '\0')
        return refuse(error, error_size, "attachments", "are not offered here");
    if (strncmp(url, "https://", 8) != 0 || !has_origin(rules->attachment_origins, url))
        return refuse(error, error_size, "attachments.url", "must lie at one of the allowed origins");
    if (!is_offered_type(content_type))
        return refuse(error, error_size, "attachments.content_type", "must be image/*, audio/*, video/* or a PDF");
    if (size_bytes > rules->attachment_max_bytes)
        return refuse(error, error_size, "attachments.size_bytes", "is too large");
    return true;
}
