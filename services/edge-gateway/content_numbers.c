/* Telephone and card numbers. */
#include "content_find.h"

#define GAP_MAX 3 /* characters between two digits of one number */
#define WORD_MAX 12
#define DIGITS_MAX 64
#define CARD_DIGITS_MIN 13 /* ISO/IEC 7812 */
#define CARD_DIGITS_MAX 19

static const struct {
    const char *word, *digits;
} number_words[] = {
    {"zero", "0"},     {"oh", "0"},         {"o", "0"},         {"nought", "0"},    {"nil", "0"},
    {"one", "1"},      {"two", "2"},        {"three", "3"},     {"four", "4"},      {"five", "5"},
    {"six", "6"},      {"seven", "7"},      {"eight", "8"},     {"nine", "9"},      {"ten", "10"},
    {"eleven", "11"},  {"twelve", "12"},    {"thirteen", "13"}, {"fourteen", "14"}, {"fifteen", "15"},
    {"sixteen", "16"}, {"seventeen", "17"}, {"eighteen", "18"}, {"nineteen", "19"}, {"twenty", "2"},
    {"thirty", "3"},   {"forty", "4"},      {"fifty", "5"},     {"sixty", "6"},     {"seventy", "7"},
    {"eighty", "8"},   {"ninety", "9"},     {"null", "0"},      {"eins", "1"},      {"zwei", "2"},
    {"zwo", "2"},      {"drei", "3"},       {"vier", "4"},      {"funf", "5"},      {"fuenf", "5"},
    {"sechs", "6"},    {"sieben", "7"},     {"acht", "8"},      {"neun", "9"},      {"un", "1"},
    {"deux", "2"},     {"trois", "3"},      {"quatre", "4"},    {"cinq", "5"},      {"sept", "7"},
    {"huit", "8"},     {"neuf", "9"},       {"cero", "0"},      {"uno", "1"},       {"dos", "2"},
    {"tres", "3"},     {"cuatro", "4"},     {"cinco", "5"},     {"seis", "6"},      {"siete", "7"},
    {"ocho", "8"},     {"nueve", "9"},      {"um", "1"},        {"dois", "2"},      {"quatro", "4"},
    {"sete", "7"},     {"oito", "8"},       {"nove", "9"},      {"due", "2"},       {"tre", "3"},
    {"quattro", "4"},  {"cinque", "5"},     {"sei", "6"},       {"sette", "7"},     {"otto", "8"},
};

static const struct {
    const char *word;
    unsigned times;
} repeat_words[] = {{"double", 2}, {"triple", 3}, {"treble", 3}, {"doppel", 2}, {"doble", 2}};

struct number_run {
    size_t first, end; /* units */
    unsigned count, repeat;
    unsigned gap;
    char digits[DIGITS_MAX];
};

/* --- dates, times, amounts, ids ----------------------------------------------------------------------------------- */

static size_t digits_at(const struct content_text *text, size_t at)
{
    size_t count = 0;
    while (unit_is_digit(content_unit_at(text, at + count)))
        count++;
    return count;
}

/* 2025-11-24, 24.11.2025, 24/11/25, 18:30, 18:30:15; returns its length in units, 0 if it is none. */
static size_t date_or_time_at(const struct content_text *text, size_t at)
{
    size_t first = digits_at(text, at);
    uint32_t separator = content_unit_at(text, at + first);
    size_t second = digits_at(text, at + first + 1), end = at + first + 1 + second;
    if ((first != 4 && first != 2 && first != 1) || second < 1 || second > 2)
        return 0;
    bool has_third = content_unit_at(text, end) == separator && unit_is_digit(content_unit_at(text, end + 1));
    size_t third = has_third ? digits_at(text, end + 1) : 0;
    if (separator == ':' && first <= 2 && second == 2 && (third == 0 || third == 2))
        return end + (has_third ? 1 + third : 0) - at;
    bool is_iso = first == 4 && separator == '-' && second == 2 && third == 2;
    bool is_written = first <= 2 && (separator == '.' || separator == '/') && (third == 4 || third == 2);
    if (!is_iso && !is_written)
        return 0;
    unsigned middle = 0;
    for (size_t i = 0; i < second; i++)
        middle = middle * 10 + (content_unit_at(text, at + first + 1 + i) - '0');
    /* 55.12.3456 may be part of a telephone number; a date's middle is a day or a month. */
    return middle >= 1 && middle <= 31 ? end + 1 + third - at : 0;
}

/* 1,000,000. Other separators group telephone numbers too: with them 1.000.000, 1 000 000 or 12.345,67, by itself. */
static size_t amount_at(const struct content_text *text, size_t at)
{
    size_t first = digits_at(text, at), end = at + first, groups = 0;
    uint32_t separator = content_unit_at(text, end);
    bool is_round = content_unit_at(text, at) != '0';
    bool is_continued =
        at > 1 && !unit_is_word(content_unit_at(text, at - 1)) && unit_is_digit(content_unit_at(text, at - 2));
    if (first == 0 || first > 3 || (separator != ',' && separator != '.' && separator != ' '))
        return 0;
    for (; content_unit_at(text, end) == separator && digits_at(text, end + 1) == 3; end += 4, groups++)
        is_round &= content_stands_at(text, end + 1, "000");
    if (groups == 0 || (content_unit_at(text, end) == separator && digits_at(text, end + 1) > 0))
        return 0; /* 555,123,4567 */
    if (separator == ',')
        return end - at;
    bool has_cents = content_unit_at(text, end) == ',' && digits_at(text, end + 1) == 2;
    bool is_amount = !is_continued && (has_cents || (is_round && groups > 1));
    return is_amount ? end + (has_cents ? 3 : 0) - at : 0;
}

static bool is_hexadecimal(uint32_t folded)
{
    return unit_is_digit(folded) || (folded >= 'a' && folded <= 'f');
}

/* A booking's id, say. */
static size_t uuid_at(const struct content_text *text, size_t at)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; shape[i] != '\0'; i++)
        if (shape[i] == '-' ? content_unit_at(text, at + i) != '-' : !is_hexadecimal(content_unit_at(text, at + i)))
            return 0;
    return strlen(shape);
}

static size_t harmless_at(const struct content_text *text, size_t at)
{
    if (!is_hexadecimal(content_unit_at(text, at)) || (at > 0 && unit_is_word(content_unit_at(text, at - 1))))
        return 0;
    size_t length = uuid_at(text, at);
    if (length == 0 && unit_is_digit(content_unit_at(text, at)))
        length = date_or_time_at(text, at);
    if (length == 0 && unit_is_digit(content_unit_at(text, at)))
        length = amount_at(text, at);
    return length > 0 && !unit_is_digit(content_unit_at(text, at + length)) ? length : 0;
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

/* ISO/IEC 7812-1 annex B. */
static bool passes_luhn(const struct number_run *run)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < run->count; i++) {
        unsigned digit = (unsigned)(run->digits[run->count - 1 - i] - '0');
        unsigned doubled = digit * 2;
        sum += i % 2 == 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
    }
    return sum % 10 == 0;
}

static void end_run(struct number_run *run, unsigned phone_digits, struct content_spans *spans)
{
    if (run->count >= CARD_DIGITS_MIN && run->count <= CARD_DIGITS_MAX && passes_luhn(run))
        content_spans_add(spans, run->first, run->end, FOUND_CARD);
    else if (run->count >= phone_digits)
        content_spans_add(spans, run->first, run->end, FOUND_PHONE);
    *run = (struct number_run){0};
}

static void take_digits(struct number_run *run, const char *digits, size_t first, size_t end)
{
    unsigned times = run->repeat > 0 ? run->repeat : 1;
    if (run->count == 0 && run->repeat == 0)
        run->first = first;
    for (; times > 0; times--)
        for (const char *digit = digits; *digit != '\0' && run->count < DIGITS_MAX; digit++)
            run->digits[run->count++] = *digit;
    run->repeat = run->gap = 0;
    run->end = end;
}

static const char *digits_of_word(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(number_words); i++)
        if (str_equal(number_words[i].word, word))
            return number_words[i].digits;
    return NULL;
}

static unsigned repeat_of_word(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(repeat_words); i++)
        if (str_equal(repeat_words[i].word, word))
            return repeat_words[i].times;
    return 0;
}

/* Letters up to the next thing that is none; *word_r is "" when there are too many of them. */
static size_t word_at(const struct content_text *text, size_t at, char word_r[WORD_MAX])
{
    size_t length = 0;
    while (unit_is_word(content_unit_at(text, at + length)) && !unit_is_digit(content_unit_at(text, at + length))) {
        if (length < WORD_MAX - 1 && content_unit_at(text, at + length) < 0x80)
            word_r[length] = (char)content_unit_at(text, at + length);
        length++;
    }
    word_r[length < WORD_MAX - 1 ? length : 0] = '\0';
    return length;
}

/* Look-alikes that touch a digit: o, O for 0 and l, I for 1. Returns how many. */
static size_t take_look_alikes(const struct content_text *text, size_t at, struct number_run *run)
{
    size_t length = 0;
    while (content_unit_at(text, at + length) == 'o' || content_unit_at(text, at + length) == 'l' ||
           content_unit_at(text, at + length) == 'i')
        length++;
    bool touches_digit =
        (at > 0 && unit_is_digit(content_unit_at(text, at - 1))) || unit_is_digit(content_unit_at(text, at + length));
    if (!touches_digit ||
        (unit_is_word(content_unit_at(text, at + length)) && !unit_is_digit(content_unit_at(text, at + length))))
        return 0;
    for (size_t i = 0; i < length; i++)
        take_digits(run, content_unit_at(text, at + i) == 'o' ? "0" : "1", at + i, at + i + 1);
    return length;
}

static bool is_separator(uint32_t folded)
{
    bool is_picture = folded >= 0x1f000 || (folded >= 0x2600 && folded < 0x27c0);
    return is_picture || (folded < 0x80 && strchr(" -.,()/+_*:|~;#\t\n'\"=", (int)folded) != NULL);
}

/* A number word of three letters or more at the beginning of the text: "o" and "un" are too often something else.
 * Returns its length, 0 if there is none; `end` is where the text ends. */
static size_t part_at(const struct content_text *text, size_t at, size_t end, const char **digits_r)
{
    size_t longest = 0;
    for (size_t i = 0; i < ARRAY_LEN(number_words); i++) {
        size_t length = strlen(number_words[i].word);
        if (length <= longest || length < 3 || at + length > end || !content_stands_at(text, at, number_words[i].word))
            continue;
        longest = length;
        *digits_r = number_words[i].digits;
    }
    return longest;
}

/* "fivefivefive"; false: it is not made of number words only. */
static bool take_compound(const struct content_text *text, size_t at, size_t end, struct number_run *run)
{
    const char *digits = NULL;
    size_t length = 0;
    for (size_t part = at; part < end; part += length)
        if ((length = part_at(text, part, end, &digits)) == 0)
            return false;
    for (size_t part = at; part < end; part += length) {
        length = part_at(text, part, end, &digits);
        take_digits(run, digits, part, part + length);
    }
    return true;
}

static size_t take_word(const struct content_text *text, size_t at, struct number_run *run, unsigned phone_digits,
                        struct content_spans *spans)
{
    char word[WORD_MAX];
    size_t look_alikes = take_look_alikes(text, at, run);
    if (look_alikes > 0)
        return look_alikes;
    size_t length = word_at(text, at, word);
    const char *digits = digits_of_word(word);
    unsigned repeat = repeat_of_word(word);
    if (digits != NULL) {
        take_digits(run, digits, at, at + length);
    } else if (repeat > 0) {
        if (run->count == 0)
            run->first = at;
        run->repeat = repeat;
        run->gap = 0;
    } else if (!take_compound(text, at, at + length, run)) {
        end_run(run, phone_digits, spans);
    }
    return length;
}

void content_find_numbers(const struct content_text *text, unsigned phone_digits, struct content_spans *spans)
{
    struct number_run run = {0};
    for (size_t at = 0; at < text->count;) {
        uint32_t folded = content_unit_at(text, at);
        size_t harmless = harmless_at(text, at);
        if (harmless > 0) {
            end_run(&run, phone_digits, spans);
            at += harmless;
        } else if (unit_is_digit(folded)) {
            take_digits(&run, (const char[]){(char)folded, '\0'}, at, at + 1);
            at++;
        } else if (unit_is_word(folded)) {
            at += take_word(text, at, &run, phone_digits, spans);
        } else {
            if (!is_separator(folded) || ++run.gap > GAP_MAX)
                end_run(&run, phone_digits, spans);
            at++;
        }
    }
    end_run(&run, phone_digits, spans);
}
