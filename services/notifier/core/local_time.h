#ifndef HANSOM_LOCAL_TIME_H
#define HANSOM_LOCAL_TIME_H
/* A person's own time, by ICU's time zones. Pure but for a cache of zones. */
#include "base/strbuf.h"

bool timezone_is_known(const char *timezone); /* IANA name */
/* Well-formed BCP 47 (ICU need not have data for it). */
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
/* "22:00-07:00"; "" = not set. */
MUST_CHECK bool quiet_hours_parse(const char *text, struct quiet_hours *quiet_r);
/* 0: it is not quiet now. Else when it ends (ms since 1970), also over changes of summer time. */
int64_t quiet_until(const struct quiet_hours *quiet, const char *timezone, int64_t now_ms);

#endif
