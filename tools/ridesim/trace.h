#ifndef HANSOM_TRACE_H
#define HANSOM_TRACE_H
/* Recorded drives: CSV `trip,lat,lng,unix_time` and GPX track points with a time. Foreign input: errors name file:line.
 */
#include "base/strbuf.h"

struct trace_point {
    double lat, lng;
    int64_t time_ms;
};

struct trace {
    struct trace_point *points; /* as recorded, times never going back */
    size_t count;
};

struct trace_list {
    struct trace *traces;
    size_t count;
};

/* Adds the trips of one file, chosen by its ending (.csv, .gpx). False with a text in `error`. */
MUST_CHECK bool trace_read_file(const char *path, struct trace_list *list, struct strbuf *error);
/* The same from memory; name is for errors. */
MUST_CHECK bool trace_read_csv(const char *name, char *text, struct trace_list *list, struct strbuf *error);
MUST_CHECK bool trace_read_gpx(const char *name, const char *text, struct trace_list *list, struct strbuf *error);
void trace_list_finish(struct trace_list *list);

#endif
