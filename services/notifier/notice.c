#include "notice.h"

#include <stdio.h>

const char *const channel_names[] = {
    "none",
#define CHANNEL(id, name, number, is_device) [number] = name,
#include "channels.def"
    NULL,
};

const char *const failure_names[] = {
#define FAILURE(id, help) #id,
#include "failure_reasons.def"
    NULL,
};

enum channel channel_from_name(const char *name)
{
    for (int i = CHANNEL_NONE + 1; i < CHANNEL_END; i++)
        if (str_equal(channel_names[i], name))
            return (enum channel)i;
    return CHANNEL_NONE;
}

bool channel_is_device(enum channel channel)
{
    static const bool is_device[] = {
#define CHANNEL(id, name, number, is_device_) [number] = is_device_,
#include "channels.def"
    };
    ASSERT(channel > CHANNEL_NONE && channel < CHANNEL_END);
    return is_device[channel];
}

void delivery_uuid(uint64_t delivery_id, char text[DELIVERY_UUID_SIZE])
{
    snprintf(text, DELIVERY_UUID_SIZE, "68616e73-6f6d-8000-8%03x-%012llx", (unsigned)(delivery_id >> 48) & 0xfffu,
             (unsigned long long)delivery_id & 0xffffffffffffull);
}
