#include "content_text.h"

uint32_t content_code_point(const char **at)
{
    const unsigned char *byte = (const unsigned char *)*at;
    unsigned following = *byte < 0x80 ? 0 : *byte < 0xe0 ? 1 : *byte < 0xf0 ? 2 : 3;
    static const unsigned char lead_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = *byte & lead_bits[following];
    for (unsigned i = 1; i <= following; i++)
        point = point << 6 | (byte[i] & 0x3fu);
    *at += following + 1;
    return point;
}

/* Zero width, joiners, directions, variation selectors, fillers, tags, the keycap, soft hyphen. */
static const struct {
    uint32_t first, last;
} invisible[] = {
    {0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x061c, 0x061c}, {0x115f, 0x1160},   {0x180b, 0x180f},
    {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f}, {0x20e3, 0x20e3},   {0x3164, 0x3164},
    {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xe0000, 0xe0fff},
};

static bool is_invisible(uint32_t point)
{
    for (size_t i = 0; i < ARRAY_LEN(invisible) && invisible[i].first <= point; i++)
        if (point <= invisible[i].last)
            return true;
    return false;
}

/* Unicode's decimal digits that phones offer: first code point of each run of ten. */
static const uint32_t digit_runs[] = {0x0660,  0x06f0,  0x0966,  0x09e6,  0x0a66, 0x0ae6, 0x0be6,
                                      0x0c66,  0x0ce6,  0x0d66,  0x0e50,  0x0ed0, 0x1040, 0xff10,
                                      0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6};

static uint32_t fold_digit(uint32_t point)
{
    for (size_t i = 0; i < ARRAY_LEN(digit_runs); i++)
        if (point >= digit_runs[i] && point < digit_runs[i] + 10)
            return '0' + (point - digit_runs[i]);
    if (point >= 0x2460 && point <= 0x2468) /* circled 1-9 */
        return '1' + (point - 0x2460);
    if (point >= 0x2776 && point <= 0x277e) /* the same, dark */
        return '1' + (point - 0x2776);
    if (point >= 0x2074 && point <= 0x2079) /* superscript 4-9 */
        return '4' + (point - 0x2074);
    if (point >= 0x2080 && point <= 0x2089) /* subscript */
        return '0' + (point - 0x2080);
    return point == 0x2070 ? '0' : point == 0xb9 ? '1' : point == 0xb2 ? '2' : point == 0xb3 ? '3' : point;
}

static const struct {
    uint32_t from, to;
} folds[] = {
    {0xe0, 'a'},   {0xe1, 'a'},   {0xe2, 'a'},   {0xe3, 'a'},   {0xe4, 'a'},   {0xe7, 'c'},   {0xe8, 'e'},
    {0xe9, 'e'},   {0xea, 'e'},   {0xeb, 'e'},   {0xec, 'i'},   {0xed, 'i'},   {0xee, 'i'},   {0xf1, 'n'},
    {0xf2, 'o'},   {0xf3, 'o'},   {0xf4, 'o'},   {0xf5, 'o'},   {0xf6, 'o'},   {0xf9, 'u'},   {0xfa, 'u'},
    {0xfb, 'u'},   {0xfc, 'u'},   {0x2010, '-'}, {0x2011, '-'}, {0x2012, '-'}, {0x2013, '-'}, {0x2014, '-'},
    {0x2015, '-'}, {0x2043, '-'}, {0x2212, '-'}, {0x2796, '-'}, {0x00b7, '.'}, {0x2022, '.'}, {0x2024, '.'},
    {0x2026, '.'}, {0x2027, '.'}, {0x3002, '.'}, {0x30fb, '.'}, {0xff65, '.'}, {0x2044, '/'}, {0x2215, '/'},
    {0x00a0, ' '}, {0x1680, ' '}, {0x2028, ' '}, {0x2029, ' '}, {0x202f, ' '}, {0x205f, ' '}, {0x3000, ' '},
};

static uint32_t fold_case(uint32_t point)
{
    if ((point >= 'A' && point <= 'Z') || (point >= 0xc0 && point <= 0xde && point != 0xd7) ||
        (point >= 0x391 && point <= 0x3a9) || (point >= 0x410 && point <= 0x42f))
        return point + 32;
    return point >= 0x400 && point <= 0x40f ? point + 80 : point;
}

static uint32_t fold(uint32_t point)
{
    if (point < 0x80)
        return fold_case(point);
    if (point >= 0xff01 && point <= 0xff5e) /* full width */
        point -= 0xff01 - '!';
    if (point >= 0x2000 && point <= 0x200a) /* spaces of all widths */
        return ' ';
    point = fold_case(fold_digit(point));
    for (size_t i = 0; i < ARRAY_LEN(folds); i++)
        if (folds[i].from == point)
            return folds[i].to;
    return point;
}

void content_text_init(struct content_text *text, const char *utf8)
{
    size_t length = strlen(utf8);
    *text = (struct content_text){.units = mem_alloc((length + 1) * sizeof(*text->units))};
    for (const char *at = utf8; *at != '\0';) {
        uint32_t offset = (uint32_t)(at - utf8), point = content_code_point(&at);
        text->characters++;
        if (!is_invisible(point))
            text->units[text->count++] = (struct content_unit){fold(point), offset};
    }
    text->units[text->count] = (struct content_unit){0, (uint32_t)length};
}

bool content_text_is_blank(const struct content_text *text)
{
    for (size_t i = 0; i < text->count; i++)
        if (text->units[i].folded != ' ' && (text->units[i].folded < '\t' || text->units[i].folded > '\r'))
            return false;
    return true;
}

void content_text_finish(struct content_text *text)
{
    mem_free(text->units);
    *text = (struct content_text){0};
}

uint32_t content_unit_at(const struct content_text *text, size_t at)
{
    return text->units[at < text->count ? at : text->count].folded;
}

bool content_stands_at(const struct content_text *text, size_t at, const char *word)
{
    for (size_t i = 0; word[i] != '\0'; i++)
        if (content_unit_at(text, at + i) != (uint32_t)word[i])
            return false;
    return true;
}

bool unit_is_digit(uint32_t folded)
{
    return folded >= '0' && folded <= '9';
}

bool unit_is_word(uint32_t folded)
{
    bool is_general_punctuation = folded >= 0x2000 && folded < 0x2e80; /* arrows, symbols, pictures too */
    return unit_is_digit(folded) || (folded >= 'a' && folded <= 'z') ||
           (folded >= 0xc0 && !is_general_punctuation && folded < 0x1f000);
}
