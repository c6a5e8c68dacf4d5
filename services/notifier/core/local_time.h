#ifndef HANSOM_LOCAL_TIME_H
#define HANSOM_LOCAL_TIME_H
/* A person's own time, by ICU's time zones. Pure but for bounded caches of zones and formatters: one thread only. */
#include "base/strbuf.h"

#define TIMEZONE_LENGTH_MAX 64
#define LOCALE_LENGTH_MAX 35 /* what RFC 5646, 4.4.1, wants to be kept at least */

/* Is it an IANA name that ICU has data for? Case counts; "GMT+1", "+01:00" and ICU's own abbreviations are none. */
bool timezone_is_known(const char *timezone);
/* Well-formed BCP 47 of at most LOCALE_LENGTH_MAX characters (ICU need not have data for it). */
bool locale_is_valid(const char *locale);

enum time_style { TIME_STYLE_TIME, TIME_STYLE_DATE, TIME_STYLE_DATETIME };
/* Appends; "" or unknown locale or zone: "en", "UTC". */
void local_time_format(struct strbuf *out, int64_t unix_ms, const char *locale, const char *timezone,
                       enum time_style style);

/* Minutes since midnight, 0..1439, from 22:00 to 07:00 being the night; from == to: never quiet. */
struct quiet_hours {
    bool is_set;
    unsigned from_min, to_min;
};
/* "22:00-07:00"; "" = not set. False: neither, and nothing is written. */
MUST_CHECK bool quiet_hours_parse(const char *text, struct quiet_hours *quiet_r);
/* 0: it is not quiet now. Else when it ends (ms since 1970, after now_ms), also over changes of summer time: an end
 * that the clock skips is the moment of the change, one that it shows twice is the second. Unknown zone: UTC. */
int64_t quiet_until(const struct quiet_hours *quiet, const char *timezone, int64_t now_ms);

/* Empties the caches; they fill again by themselves. */
void local_time_finish(void);

#endif
