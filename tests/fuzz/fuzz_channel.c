/* Channel names and the patterns of scopes: a name that parses is matched by itself and by ">". */
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct channel_name channel;
    size_t half = size / 2;
    char *whole = mem_strndup((const char *)data, size), *pattern = mem_strndup((const char *)data, half);
    if (channel_parse(whole, size, &channel))
        ASSERT(channel_matches(channel.text, channel.text) && channel_matches(">", channel.text));
    channel_matches(pattern, whole + half);
    mem_free(whole);
    mem_free(pattern);
    return 0;
}
