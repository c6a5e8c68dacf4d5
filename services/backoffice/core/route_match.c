#include "core/route_match.h"

static bool take_id(const char *segment, size_t length, char id_r[ID_SIZE])
{
    if (!id_is_valid(segment, length))
        return false;
    memcpy(id_r, segment, length);
    id_r[length] = '\0';
    return true;
}

enum route_match route_match(const char *pattern, const char *path, char id_r[ID_SIZE])
{
    bool is_id_good = true;
    id_r[0] = '\0';
    while (*pattern == '/' && *path == '/') {
        size_t pattern_length = strcspn(++pattern, "/"), length = strcspn(++path, "/");
        if (pattern_length == 4 && strncmp(pattern, "{id}", 4) == 0)
            is_id_good = take_id(path, length, id_r);
        else if (pattern_length != length || strncmp(pattern, path, length) != 0)
            return ROUTE_DIFFERS;
        pattern += pattern_length;
        path += length;
    }
    if (*pattern != '\0' || *path != '\0')
        return ROUTE_DIFFERS;
    return is_id_good ? ROUTE_MATCHES : ROUTE_BAD_ID;
}
