#include "wire/wire.h"

static const struct pattern {
    const char *prefix, *suffix;
} patterns[CHANNEL_KIND_COUNT] = {
    [CHANNEL_TRACKING] = {"booking.", ".tracking"},         [CHANNEL_CHAT] = {"booking.", ".chat"},
    [CHANNEL_BOOKING_PRESENCE] = {"booking.", ".presence"}, [CHANNEL_EVENTS] = {"user.", ".events"},
    [CHANNEL_HEARTBEAT] = {"driver.", ".heartbeat"},        [CHANNEL_DRIVER_PRESENCE] = {"driver.", ".presence"},
};

/* The id between prefix and suffix; 0 if the text is not of the pattern. */
static size_t id_length(const struct pattern *pattern, const char *text, size_t length)
{
    size_t prefix = strlen(pattern->prefix), suffix = strlen(pattern->suffix);
    if (length <= prefix + suffix || memcmp(text, pattern->prefix, prefix) != 0 ||
        memcmp(text + length - suffix, pattern->suffix, suffix) != 0)
        return 0;
    return id_is_valid(text + prefix, length - prefix - suffix) ? length - prefix - suffix : 0;
}

bool channel_parse(const char *text, size_t length, struct channel_name *channel_r)
{
    for (size_t kind = 0; kind < CHANNEL_KIND_COUNT; kind++) {
        size_t id = id_length(&patterns[kind], text, length);
        if (id == 0)
            continue;
        channel_r->kind = (enum channel_kind)kind;
        memcpy(channel_r->id, text + strlen(patterns[kind].prefix), id);
        channel_r->id[id] = '\0';
        memcpy(channel_r->text, text, length);
        channel_r->text[length] = '\0';
        return true;
    }
    return false;
}

bool channel_matches(const char *pattern, const char *channel)
{
    for (;;) {
        size_t wanted = strcspn(pattern, "."), given = strcspn(channel, ".");
        if (wanted == 1 && *pattern == '>')
            return pattern[1] == '\0' && given > 0;
        bool is_any = wanted == 1 && *pattern == '*';
        if (given == 0 || (!is_any && (wanted != given || memcmp(pattern, channel, given) != 0)))
            return false;
        pattern += wanted;
        channel += given;
        if (*pattern == '\0' || *channel == '\0')
            return *pattern == *channel;
        pattern++;
        channel++;
    }
}
