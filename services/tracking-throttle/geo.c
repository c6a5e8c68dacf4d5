#include "geo.h"

#include <math.h>

#define EARTH_RADIUS_M 6371008.8
#define RADIANS_PER_DEGREE 0.017453292519943295

double geo_distance_m(double lat1, double lng1, double lat2, double lng2)
{
    double half_lat = sin((lat2 - lat1) * RADIANS_PER_DEGREE / 2);
    double half_lng = sin((lng2 - lng1) * RADIANS_PER_DEGREE / 2);
    double a =
        half_lat * half_lat + cos(lat1 * RADIANS_PER_DEGREE) * cos(lat2 * RADIANS_PER_DEGREE) * half_lng * half_lng;
    return 2 * EARTH_RADIUS_M * asin(sqrt(fmin(1, a)));
}
