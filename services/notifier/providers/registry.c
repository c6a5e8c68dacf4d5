#include "provider.h"

const struct provider *const providers[CHANNEL_END] = {
    [CHANNEL_FCM] = &fcm_provider, [CHANNEL_APNS] = &apns_provider,   [CHANNEL_WEBPUSH] = &webpush_provider,
    [CHANNEL_SMS] = &sms_provider, [CHANNEL_EMAIL] = &email_provider, [CHANNEL_WEBHOOK] = &webhook_provider,
};
