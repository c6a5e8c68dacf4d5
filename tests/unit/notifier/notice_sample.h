#ifndef HANSOM_NOTICE_SAMPLE_H
#define HANSOM_NOTICE_SAMPLE_H
/* A notice that tests change to what they need, and keys made for tests only. */
#include "notice.h"

#define SAMPLE_NOW_MS 1764079140000ll /* 2025-11-25T13:59:00Z */
#define SAMPLE_UUID "68616e73-6f6d-8000-8000-00000000002a"

static inline struct notice notice_sample(enum channel channel, const char *target)
{
    return (struct notice){.delivery_id = 42,
                           .attempt = 1,
                           .channel = channel,
                           .user_id = "ann",
                           .event_id = "ev-1",
                           .type = "assignment_offer",
                           .data_json = "{\"booking_id\":\"ride-1\",\"fare\":\"12 €\"}",
                           .collapse_key = "",
                           .device_id = "",
                           .target = target,
                           .title = "New ride",
                           .body = "Pick-up at \"Gare\"",
                           .is_critical = true,
                           .created_ms = SAMPLE_NOW_MS - 5000,
                           .expires_ms = SAMPLE_NOW_MS + 90500,
                           .badge = 3};
}

#endif
