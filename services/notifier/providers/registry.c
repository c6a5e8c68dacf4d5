#include "provider.h"

const struct provider *const providers[CHANNEL_END] = {
    [CHANNEL_WEBPUSH] = &webpush_provider,
};
