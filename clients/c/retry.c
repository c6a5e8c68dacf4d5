#include "retry.h"

bool retry_is_allowed(int code, unsigned unauthorized_in_row)
{
    if (code == CLOSE_UNAUTHORIZED)
        return unauthorized_in_row <= 1;
    if (code == CLOSE_CONNECT_TIMEOUT || code == CLOSE_RATE_LIMITED)
        return true;
    return code < 4400 || code > 4499;
}

int retry_code_of_http(int http_status)
{
    switch (http_status) {
    case 401:
        return CLOSE_UNAUTHORIZED;
    case 403:
        return CLOSE_FORBIDDEN;
    default:
        return 0;
    }
}
