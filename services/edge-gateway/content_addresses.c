/* E-mail addresses and links. */
#include "content_find.h"

void content_spans_add(struct content_spans *spans, size_t first, size_t end, enum content_finding kind)
{
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity == 0 ? 8 : spans->capacity * 2;
        spans->items = mem_realloc(spans->items, spans->capacity * sizeof(*spans->items));
    }
    spans->items[spans->count++] = (struct content_span){first, end, kind};
}

void content_spans_finish(struct content_spans *spans)
{
    mem_free(spans->items);
    *spans = (struct content_spans){0};
}

/* --- pieces ------------------------------------------------------------------------------------------------------- */

/* One of the spellings at `at`; returns its length in units, 0 if none. The longest come first. */
static size_t spelling_at(const struct content_text *text, size_t at, const char *const *spellings)
{
    for (; *spellings != NULL; spellings++)
        if (content_stands_at(text, at, *spellings))
            return strlen(*spellings);
    return 0;
}

static const char *const at_signs[] = {" @ ", "@ ", " @", "@", " (at) ", "(at)", " [at] ", "[at]", " at ", NULL};
static const char *const dots[] = {" . ",   " (dot) ", "(dot)",   " [dot] ", "[dot]",
                                   " dot ", " punkt ", " punto ", ".",       NULL};

static bool is_label(uint32_t folded)
{
    return unit_is_word(folded) || folded == '-' || folded == '_';
}

static size_t label_at(const struct content_text *text, size_t at)
{
    size_t length = 0;
    while (is_label(content_unit_at(text, at + length)))
        length++;
    return length;
}

/* Top-level domains that people write; a bare name with another ending is rather a missing space after a full stop.
 * Those of the second list are also words: they need a path. */
static const char *const top_levels[] = {
    "com",  "net", "org",  "info", "biz", "app", "dev",  "xyz",  "online", "site",  "shop",  "store",  "link",
    "club", "top", "live", "io",   "ly",  "co",  "gl",   "gg",   "tv",     "cc",    "ru",    "de",     "fr",
    "es",   "pt",  "uk",   "br",   "mx",  "ar",  "cn",   "jp",   "kr",     "vn",    "th",    "id",     "ph",
    "sg",   "au",  "nz",   "ca",   "pl",  "nl",  "ch",   "tr",   "ua",     "kz",    "ng",    "ke",     "za",
    "eg",   "ae",  "sa",   "pk",   "bd",  "lk",  "ir",   "il",   "ro",     "hu",    "cz",    "sk",     "gr",
    "se",   "fi",  "dk",   "eu",   "edu", "gov", "mobi", "page", "chat",   "email", "world", "agency", NULL};
static const char *const wordlike_top_levels[] = {"my", "me", "so", "is", "it", "to", "in", "at", "be",
                                                  "no", "am", "us", "as", "do", "la", "st", NULL};

static bool label_is_one_of(const struct content_text *text, size_t at, size_t length, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strlen(*list) == length && content_stands_at(text, at, *list))
            return true;
    return false;
}

struct domain {
    size_t end;
    size_t last_label; /* where the top-level domain begins */
    unsigned labels;
    bool has_spelled_dot; /* before the last label */
};

static struct domain domain_at(const struct content_text *text, size_t at)
{
    struct domain domain = {.end = at};
    bool is_spelled = false;
    for (size_t length; (length = label_at(text, at)) > 0;) {
        domain.labels++;
        domain.last_label = at;
        domain.end = at + length;
        domain.has_spelled_dot = is_spelled;
        size_t dot = spelling_at(text, domain.end, dots);
        if (dot == 0)
            break;
        is_spelled = dot > 1;
        at = domain.end + dot;
    }
    return domain;
}

static bool has_known_ending(const struct content_text *text, const struct domain *domain, bool has_path)
{
    size_t length = domain->end - domain->last_label;
    return domain->labels >= 2 &&
           (label_is_one_of(text, domain->last_label, length, top_levels) ||
            (has_path && label_is_one_of(text, domain->last_label, length, wordlike_top_levels)));
}

/* --- e-mail ------------------------------------------------------------------------------------------------------- */

static bool is_local(uint32_t folded)
{
    return is_label(folded) || folded == '.' || folded == '+' || folded == '%';
}

void content_find_emails(const struct content_text *text, struct content_spans *spans)
{
    for (size_t at = 1; at < text->count; at++) {
        size_t sign = spelling_at(text, at, at_signs);
        if (sign == 0 || !is_local(content_unit_at(text, at - 1)))
            continue;
        struct domain domain = domain_at(text, at + sign);
        bool is_real_sign = sign <= 3, is_word = content_stands_at(text, at, " at ");
        bool is_address = is_real_sign ? domain.labels >= 2 && domain.end - domain.last_label >= 2
                                       : has_known_ending(text, &domain, !is_word || domain.has_spelled_dot);
        if (!is_address)
            continue;
        size_t first = at;
        while (first > 0 && is_local(content_unit_at(text, first - 1)))
            first--;
        content_spans_add(spans, first, domain.end, FOUND_EMAIL);
        at = domain.end;
    }
}

/* --- links -------------------------------------------------------------------------------------------------------- */

static bool is_space(uint32_t folded)
{
    return folded == ' ' || folded == '\t' || folded == '\n' || folded == 0;
}

static size_t to_space(const struct content_text *text, size_t at)
{
    while (!is_space(content_unit_at(text, at)))
        at++;
    return at;
}

/* "https://", "tg:", "mailto:x" written out */
static size_t scheme_at(const struct content_text *text, size_t at)
{
    size_t length = 0;
    while (content_unit_at(text, at + length) >= 'a' && content_unit_at(text, at + length) <= 'z')
        length++;
    return length >= 2 && content_stands_at(text, at + length, "://") ? length + 3 : 0;
}

static size_t link_end(const struct content_text *text, size_t at)
{
    size_t scheme = scheme_at(text, at);
    if (scheme > 0 && !is_space(content_unit_at(text, at + scheme)))
        return to_space(text, at);
    if (content_stands_at(text, at, "www.") && is_label(content_unit_at(text, at + 4)))
        return to_space(text, at);
    struct domain domain = domain_at(text, at);
    bool has_path = content_unit_at(text, domain.end) == '/' && !is_space(content_unit_at(text, domain.end + 1));
    if (!has_known_ending(text, &domain, has_path))
        return 0;
    return has_path ? to_space(text, domain.end) : domain.end;
}

/* The domain of an address that was found already. */
static bool is_covered(const struct content_spans *spans, size_t at)
{
    for (size_t i = 0; i < spans->count; i++)
        if (at >= spans->items[i].first && at < spans->items[i].end)
            return true;
    return false;
}

void content_find_links(const struct content_text *text, struct content_spans *spans)
{
    for (size_t at = 0; at < text->count; at++) {
        if (!unit_is_word(content_unit_at(text, at)) ||
            (at > 0 && (is_label(content_unit_at(text, at - 1)) || content_unit_at(text, at - 1) == '@')))
            continue;
        size_t end = link_end(text, at);
        if (end == 0 || is_covered(spans, at))
            continue;
        content_spans_add(spans, at, end, FOUND_LINK);
        at = end;
    }
}
