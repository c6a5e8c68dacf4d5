#ifndef HANSOM_GEO_H
#define HANSOM_GEO_H
/* Great-circle distance in metres (haversine; R. W. Sinnott, Sky and Telescope 68, 1984), mean radius 6371008.8 m
 * (IUGG R1). Degrees in. */
double geo_distance_m(double lat1, double lng1, double lat2, double lng2);

#endif
