#include "trace.h"

#include <math.h>

#include "base/clock.h"
#include "base/file.h"

static bool fail(struct strbuf *error, const char *name, unsigned line, const char *what)
{
    strbuf_appendf(error, "%s:%u: %s", name, line, what);
    return false;
}

static struct trace *add_trace(struct trace_list *list)
{
    list->traces = mem_realloc(list->traces, (list->count + 1) * sizeof(*list->traces));
    struct trace *trace = &list->traces[list->count++];
    *trace = (struct trace){0};
    return trace;
}

static void add_point(struct trace *trace, const struct trace_point *point)
{
    if ((trace->count & (trace->count - 1)) == 0) {
        size_t capacity = trace->count == 0 ? 1 : trace->count * 2;
        trace->points = mem_realloc(trace->points, capacity * sizeof(*trace->points));
    }
    trace->points[trace->count++] = *point;
}

static bool parse_number(const char *text, double min, double max, double *value_r)
{
    char *stop;
    *value_r = strtod(text, &stop);
    return stop != text && (*stop == '\0' || *stop == '\r') && isfinite(*value_r) && *value_r >= min && *value_r <= max;
}

static bool read_row(char *line, double *trip_r, struct trace_point *point, const char **wrong_r)
{
    static const char *const names[] = {"trip", "lat", "lng", "unix_time"};
    static const double lows[] = {-1e15, -90, -180, 0}, highs[] = {1e15, 90, 180, 1e11};
    double values[4];
    for (int i = 0; i < 4; i++) {
        char *field = strsep(&line, ",");
        *wrong_r = names[i];
        if (field == NULL || !parse_number(field, lows[i], highs[i], &values[i]))
            return false;
    }
    *wrong_r = "a fifth field";
    if (line != NULL)
        return false;
    *trip_r = values[0];
    *point = (struct trace_point){values[1], values[2], (int64_t)(values[3] * 1000)};
    return true;
}

bool trace_read_csv(const char *name, char *text, struct trace_list *list, struct strbuf *error)
{
    struct trace *trace = NULL;
    double current = NAN, trip;
    unsigned number = 0;
    for (char *line; (line = strsep(&text, "\n")) != NULL;) {
        struct trace_point point;
        const char *wrong;
        number++;
        if (*line == '\0' || *line == '\r' || (number == 1 && strncmp(line, "trip", 4) == 0))
            continue;
        if (!read_row(line, &trip, &point, &wrong)) {
            strbuf_appendf(error, "%s:%u: %s: missing, not in range or too much", name, number, wrong);
            return false;
        }
        if (trace == NULL || trip != current)
            trace = add_trace(list);
        current = trip;
        if (trace->count > 0 && point.time_ms < trace->points[trace->count - 1].time_ms)
            return fail(error, name, number, "unix_time: goes back");
        add_point(trace, &point);
    }
    return trace != NULL || fail(error, name, number, "holds no points");
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* Value of attr="…" inside the element that begins at `element`. */
static bool attribute(const char *element, const char *name, double min, double max, double *value_r)
{
    const char *stop = strchr(element, '>'), *at = stop == NULL ? NULL : strstr(element, name);
    char text[32];
    if (at == NULL || at > stop)
        return false;
    at += strlen(name);
    size_t length = strcspn(at, "\"");
    if (length >= sizeof(text))
        return false;
    memcpy(text, at, length);
    text[length] = '\0';
    return parse_number(text, min, max, value_r);
}

static bool read_point(const char *element, const char *end, struct trace_point *point)
{
    const char *time = strstr(element, "<time>");
    if (!attribute(element, "lat=\"", -90, 90, &point->lat) || !attribute(element, "lon=\"", -180, 180, &point->lng) ||
        time == NULL || time > end)
        return false;
    time += strlen("<time>");
    return rfc3339_parse(time, strcspn(time, "<"), &point->time_ms);
}

bool trace_read_gpx(const char *name, const char *text, struct trace_list *list, struct strbuf *error)
{
    struct trace *trace = add_trace(list);
    for (const char *at = text; (at = strstr(at, "<trkpt")) != NULL;) {
        const char *end = strstr(at, "</trkpt>");
        struct trace_point point;
        if (end == NULL || !read_point(at, end, &point))
            return fail(error, name, line_of(text, at), "trkpt: needs lat, lon and a time");
        if (trace->count > 0 && point.time_ms < trace->points[trace->count - 1].time_ms)
            return fail(error, name, line_of(text, at), "time: goes back");
        add_point(trace, &point);
        at = end;
    }
    return trace->count > 0 || fail(error, name, 1, "holds no track points with a time");
}

bool trace_read_file(const char *path, struct trace_list *list, struct strbuf *error)
{
    struct strbuf content;
    char *reason = NULL;
    strbuf_init(&content, 65536);
    const char *ending = strrchr(path, '.');
    bool is_good = file_read(path, &content, &reason);
    if (!is_good)
        strbuf_append_string(error, reason);
    else if (str_equal(ending, ".gpx"))
        is_good = trace_read_gpx(path, content.data, list, error);
    else if (str_equal(ending, ".csv"))
        is_good = trace_read_csv(path, content.data, list, error);
    else
        is_good = fail(error, path, 0, "must end in .csv or .gpx");
    mem_free(reason);
    strbuf_finish(&content);
    return is_good;
}

void trace_list_finish(struct trace_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->traces[i].points);
    mem_free(list->traces);
    *list = (struct trace_list){0};
}
