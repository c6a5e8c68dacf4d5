#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define MS_PER_DAY 86400000ll

uint64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000u;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, chrono-compatible low-level date algorithms). */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

void rfc3339_format(int64_t unix_ms, char *buffer)
{
    if (unix_ms < 0)
        unix_ms = 0;
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(buffer, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    int fraction = (int)(unix_ms % 1000);
    if (fraction == 0)
        snprintf(buffer + length, RFC3339_SIZE - length, "Z");
    else
        snprintf(buffer + length, RFC3339_SIZE - length, ".%03dZ", fraction);
}

struct reader {
    const char *at, *end;
};

static bool read_digits(struct reader *reader, unsigned count, int64_t *value_r)
{
    int64_t value = 0;
    for (; count > 0; count--, reader->at++) {
        if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9')
            return false;
        value = value * 10 + (*reader->at - '0');
    }
    *value_r = value;
    return true;
}

static bool read_char(struct reader *reader, const char *allowed, char *character_r)
{
    if (reader->at == reader->end || *reader->at == '\0' || strchr(allowed, *reader->at) == NULL)
        return false;
    *character_r = *reader->at++;
    return true;
}

static bool read_fraction(struct reader *reader, int64_t *milliseconds_r)
{
    char dot;
    *milliseconds_r = 0;
    if (!read_char(reader, ".", &dot))
        return true;
    int64_t scale = 100, digit;
    unsigned count = 0;
    for (; count < 9 && read_digits(reader, 1, &digit); count++, scale /= 10)
        *milliseconds_r += digit * scale;
    return count > 0;
}

static bool read_offset(struct reader *reader, int64_t *minutes_r)
{
    char sign, colon;
    int64_t hours, minutes;
    *minutes_r = 0;
    if (read_char(reader, "Zz", &sign))
        return true;
    if (!read_char(reader, "+-", &sign) || !read_digits(reader, 2, &hours) || !read_char(reader, ":", &colon) ||
        !read_digits(reader, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *minutes_r = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool rfc3339_parse(const char *text, size_t length, int64_t *unix_ms_r)
{
    struct reader reader = {text, text + length};
    int64_t year, month, day, hour, minute, second, milliseconds, offset_minutes;
    char separator;
    bool is_read =
        read_digits(&reader, 4, &year) && read_char(&reader, "-", &separator) && read_digits(&reader, 2, &month) &&
        read_char(&reader, "-", &separator) && read_digits(&reader, 2, &day) && read_char(&reader, "Tt ", &separator) &&
        read_digits(&reader, 2, &hour) && read_char(&reader, ":", &separator) && read_digits(&reader, 2, &minute) &&
        read_char(&reader, ":", &separator) && read_digits(&reader, 2, &second) &&
        read_fraction(&reader, &milliseconds) && read_offset(&reader, &offset_minutes) && reader.at == reader.end;
    if (!is_read || month < 1 || month > 12 || day < 1 || day > days_in_month(year, (unsigned)month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    int64_t days = days_from_civil(year, (unsigned)month, (unsigned)day);
    *unix_ms_r = days * MS_PER_DAY + ((hour * 60 + minute - offset_minutes) * 60 + second) * 1000 + milliseconds;
    return true;
}
