#ifndef HANSOM_MOTION_H
#define HANSOM_MOTION_H
/* What a telephone would say of its movement at a point of a trace. Pure. */
#include "trace.h"

struct motion {
    double bearing;   /* degrees from north, 0 to below 360 */
    double speed_kmh; /* 0 to 1500 */
};

/* From the point before `index`; at the first towards the next. Zeros when it does not move or time stands still. */
struct motion trace_motion(const struct trace *trace, size_t index);

#endif
