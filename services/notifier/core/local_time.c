#include "core/local_time.h"

#include <strings.h>
#include <unicode/ucal.h>
#include <unicode/udat.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>

#include "base/lru_cache.h"

#define ZONES_MAX 512
#define FORMATS_MAX 256
#define TEXT_MAX 128
#define MINUTES_PER_DAY 1440
#define DEFAULT_LOCALE "en"
#define DEFAULT_ZONE "UTC"

static struct lru_cache *zones;   /* by IANA name: UCalendar */
static struct lru_cache *formats; /* by style and locale: UDateFormat */

/* --- zones --- */

/* What ICU knows beside the IANA names are abbreviations of three letters; these are in both. */
static bool is_iana_abbreviation(const char *name)
{
    static const char *const names[] = {"CET", "EET", "EST", "GMT", "HST", "MET", "MST",
                                        "PRC", "ROC", "ROK", "UCT", "UTC", "WET"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_equal(name, names[i]))
            return true;
    return false;
}

static bool is_zone_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/_+-", c) != NULL;
}

/* In ICU's characters. False: it cannot be a name. */
static bool zone_name(const char *timezone, UChar name[TIMEZONE_LENGTH_MAX + 1])
{
    size_t length = strnlen(timezone, TIMEZONE_LENGTH_MAX + 1);
    if (length == 0 || length > TIMEZONE_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_zone_character(timezone[i]))
            return false;
    u_uastrcpy(name, timezone);
    return true;
}

bool timezone_is_known(const char *timezone)
{
    UChar name[TIMEZONE_LENGTH_MAX + 1], canonical[TIMEZONE_LENGTH_MAX + 1];
    UErrorCode status = U_ZERO_ERROR;
    UBool is_system = false;
    if (!zone_name(timezone, name) || (strlen(timezone) == 3 && !is_iana_abbreviation(timezone)) ||
        str_equal(timezone, "Etc/Unknown"))
        return false;
    ucal_getCanonicalTimeZoneID(name, -1, canonical, (int32_t)ARRAY_LEN(canonical), &is_system, &status);
    return U_SUCCESS(status) && is_system;
}

static void zone_free(void *calendar)
{
    ucal_close(calendar);
}

static UCalendar *zone_open(const char *timezone)
{
    UChar name[TIMEZONE_LENGTH_MAX + 1];
    UErrorCode status = U_ZERO_ERROR;
    bool is_name = zone_name(timezone, name);
    ASSERT(is_name);
    UCalendar *calendar = ucal_open(name, -1, DEFAULT_LOCALE, UCAL_GREGORIAN, &status);
    ASSERT(U_SUCCESS(status));
    ucal_setAttribute(calendar, UCAL_SKIPPED_WALL_TIME, UCAL_WALLTIME_NEXT_VALID);
    ucal_setAttribute(calendar, UCAL_REPEATED_WALL_TIME, UCAL_WALLTIME_LAST);
    return calendar;
}

/* Never NULL. */
static UCalendar *zone_at(const char *timezone, int64_t unix_ms)
{
    UErrorCode status = U_ZERO_ERROR;
    if (zones == NULL)
        zones = lru_cache_create(ZONES_MAX, zone_free);
    UCalendar *calendar = lru_cache_get(zones, timezone);
    if (calendar == NULL) {
        const char *name = timezone_is_known(timezone) ? timezone : DEFAULT_ZONE;
        calendar = name == timezone ? NULL : lru_cache_get(zones, name);
        if (calendar == NULL)
            lru_cache_set(zones, name, calendar = zone_open(name));
    }
    ucal_setMillis(calendar, (UDate)unix_ms, &status);
    ASSERT(U_SUCCESS(status));
    return calendar;
}

/* --- locales --- */

/* The name that ICU has for it; false: it is not well formed. */
static bool locale_name(const char *locale, char name[ULOC_FULLNAME_CAPACITY])
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t parsed = 0;
    size_t length = strnlen(locale, LOCALE_LENGTH_MAX + 1);
    if (length == 0 || length > LOCALE_LENGTH_MAX)
        return false;
    int32_t written = uloc_forLanguageTag(locale, name, ULOC_FULLNAME_CAPACITY, &parsed, &status);
    return U_SUCCESS(status) && written < ULOC_FULLNAME_CAPACITY && (size_t)parsed == length;
}

bool locale_is_valid(const char *locale)
{
    char name[ULOC_FULLNAME_CAPACITY];
    return locale_name(locale, name);
}

/* ICU would take the process's own locale for a language without data. */
static bool has_language(const char *name)
{
    char language[ULOC_LANG_CAPACITY] = "", other[ULOC_LANG_CAPACITY] = "";
    UErrorCode status = U_ZERO_ERROR;
    uloc_getLanguage(name, language, sizeof(language), &status);
    for (int32_t i = 0; i < uloc_countAvailable() && U_SUCCESS(status); i++) {
        uloc_getLanguage(uloc_getAvailable(i), other, sizeof(other), &status);
        if (str_equal(language, other))
            return true;
    }
    return false;
}

static void format_free(void *format)
{
    udat_close(format);
}

static UDateFormat *format_open(const char *locale, enum time_style style)
{
    char name[ULOC_FULLNAME_CAPACITY];
    UErrorCode status = U_ZERO_ERROR;
    UDateFormatStyle time = style == TIME_STYLE_DATE ? UDAT_NONE : UDAT_SHORT;
    UDateFormatStyle date = style == TIME_STYLE_TIME ? UDAT_NONE : UDAT_MEDIUM;
    bool is_known = locale_name(locale, name) && has_language(name);
    UDateFormat *format = udat_open(time, date, is_known ? name : DEFAULT_LOCALE, NULL, 0, NULL, 0, &status);
    ASSERT(U_SUCCESS(status));
    return format;
}

static UDateFormat *format_for(const char *locale, enum time_style style)
{
    char key[LOCALE_LENGTH_MAX + 3];
    if (strnlen(locale, LOCALE_LENGTH_MAX + 1) > LOCALE_LENGTH_MAX)
        locale = DEFAULT_LOCALE;
    snprintf(key, sizeof(key), "%d %s", (int)style, locale);
    if (formats == NULL)
        formats = lru_cache_create(FORMATS_MAX, format_free);
    UDateFormat *format = lru_cache_get(formats, key);
    if (format == NULL)
        lru_cache_set(formats, key, format = format_open(locale, style));
    return format;
}

/* The narrow and the no-break space become plain ones: they are none of SMS's characters and would double its price. */
static void append_text(struct strbuf *out, UChar *text, int32_t length)
{
    char utf8[TEXT_MAX * 3 + 1];
    UErrorCode status = U_ZERO_ERROR;
    int32_t written = 0;
    for (int32_t i = 0; i < length; i++)
        if (text[i] == 0x202f || text[i] == 0xa0)
            text[i] = ' ';
    u_strToUTF8(utf8, sizeof(utf8), &written, text, length, &status);
    if (U_SUCCESS(status))
        strbuf_append(out, utf8, (size_t)written);
}

void local_time_format(struct strbuf *out, int64_t unix_ms, const char *locale, const char *timezone,
                       enum time_style style)
{
    UChar text[TEXT_MAX];
    UErrorCode status = U_ZERO_ERROR;
    UDateFormat *format = format_for(locale, style);
    int32_t length = udat_formatCalendar(format, zone_at(timezone, unix_ms), text, TEXT_MAX, NULL, &status);
    if (U_SUCCESS(status) && length <= TEXT_MAX)
        append_text(out, text, length);
}

/* --- quiet hours --- */

static bool parse_minutes(const char *text, unsigned *minutes_r)
{
    for (size_t i = 0; i < 5; i++)
        if (i == 2 ? text[i] != ':' : text[i] < '0' || text[i] > '9')
            return false;
    unsigned hours = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    unsigned minutes = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
    *minutes_r = hours * 60 + minutes;
    return hours < 24 && minutes < 60;
}

bool quiet_hours_parse(const char *text, struct quiet_hours *quiet_r)
{
    struct quiet_hours quiet = {.is_set = *text != '\0'};
    if (quiet.is_set && (strlen(text) != 11 || text[5] != '-' || !parse_minutes(text, &quiet.from_min) ||
                         !parse_minutes(text + 6, &quiet.to_min)))
        return false;
    *quiet_r = quiet;
    return true;
}

static bool is_quiet(const struct quiet_hours *quiet, unsigned minute)
{
    if (!quiet->is_set || quiet->from_min == quiet->to_min)
        return false;
    if (quiet->from_min < quiet->to_min)
        return minute >= quiet->from_min && minute < quiet->to_min;
    return minute >= quiet->from_min || minute < quiet->to_min;
}

int64_t quiet_until(const struct quiet_hours *quiet, const char *timezone, int64_t now_ms)
{
    UErrorCode status = U_ZERO_ERROR;
    if (!quiet->is_set)
        return 0;
    UCalendar *calendar = zone_at(timezone, now_ms);
    int32_t minute = ucal_get(calendar, UCAL_HOUR_OF_DAY, &status) * 60 + ucal_get(calendar, UCAL_MINUTE, &status);
    if (!is_quiet(quiet, (unsigned)minute % MINUTES_PER_DAY))
        return 0;
    if ((unsigned)minute >= quiet->to_min)
        ucal_add(calendar, UCAL_DATE, 1, &status);
    ucal_set(calendar, UCAL_HOUR_OF_DAY, (int32_t)quiet->to_min / 60);
    ucal_set(calendar, UCAL_MINUTE, (int32_t)quiet->to_min % 60);
    ucal_set(calendar, UCAL_SECOND, 0);
    ucal_set(calendar, UCAL_MILLISECOND, 0);
    int64_t end_ms = (int64_t)ucal_getMillis(calendar, &status);
    ASSERT(U_SUCCESS(status));
    return end_ms > now_ms ? end_ms : 0;
}

void local_time_finish(void)
{
    lru_cache_destroy(&zones);
    lru_cache_destroy(&formats);
}
