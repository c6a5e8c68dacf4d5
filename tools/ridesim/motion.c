#include "motion.h"

#include <math.h>

#include "geo.h"

#define RADIANS_PER_DEGREE 0.017453292519943295
#define SPEED_KMH_MAX 1500

static double bearing_of(const struct trace_point *from, const struct trace_point *to)
{
    double turn = (to->lng - from->lng) * RADIANS_PER_DEGREE;
    double lat1 = from->lat * RADIANS_PER_DEGREE, lat2 = to->lat * RADIANS_PER_DEGREE;
    double degrees =
        atan2(sin(turn) * cos(lat2), cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(turn)) / RADIANS_PER_DEGREE;
    return fmod(degrees + 360, 360);
}

struct motion trace_motion(const struct trace *trace, size_t index)
{
    if (trace->count < 2)
        return (struct motion){0, 0};
    const struct trace_point *to = &trace->points[index > 0 ? index : 1], *from = to - 1;
    double metres = geo_distance_m(from->lat, from->lng, to->lat, to->lng);
    double hours = (double)(to->time_ms - from->time_ms) / 3600000;
    if (metres <= 0 || hours <= 0)
        return (struct motion){0, 0};
    return (struct motion){bearing_of(from, to), fmin(metres / 1000 / hours, SPEED_KMH_MAX)};
}
