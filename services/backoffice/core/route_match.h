#ifndef HANSOM_ROUTE_MATCH_H
#define HANSOM_ROUTE_MATCH_H
/* Paths against patterns like "/v1/bookings/{id}". Pure. */
#include "base/ids.h"

enum route_match {
    ROUTE_MATCHES,
    ROUTE_DIFFERS,
    ROUTE_BAD_ID, /* it is this route, but what stands for {id} is no id */
};
/* At most one {id} in the pattern; its value goes to id_r ("" when there is none). */
enum route_match route_match(const char *pattern, const char *path, char id_r[ID_SIZE]);

#endif
