#include "wire/wire.h"

/* Index = value of the protobuf enum; 0 is UNSPECIFIED. */
static const char *const booking_statuses[] = {
    NULL, "requested", "assigned", "driver_en_route_pickup", "driver_arrived", "in_progress", "completed", "cancelled"};
static const char *const roles[] = {NULL, "client", "driver", "support", "admin"};
static const char *const availabilities[] = {NULL, "available", "busy", "paused"};
static const char *const power_modes[] = {NULL, "normal", "low_battery", "low_data"};
static const char *const app_states[] = {NULL, "foreground", "background"};
static const char *const stale_causes[] = {NULL, "no_heartbeat", "gps_lost", "background", "low_battery", "network"};
static const char *const presence_statuses[] = {NULL, "online", "late", "offline"};
static const char *const presence_reasons[] = {NULL, "heartbeat", "leave", "timeout", "gateway_lost", "superseded"};
static const char *const policy_whys[] = {NULL, "available", "on_booking", "low_power", "no_viewers"};

static const char *const push_providers[] = {NULL, "fcm", "apns", "webpush"};
static const char *const receipt_kinds[] = {NULL, "delivered", "read"};
static const char *const chat_events[] = {NULL, "status_changed", "support_joined"};

static const char *text_of(const char *const *texts, size_t count, int value)
{
    return value > 0 && (size_t)value < count ? texts[value] : NULL;
}

static int value_of(const char *const *texts, size_t count, const char *text)
{
    for (size_t i = 1; i < count; i++)
        if (str_equal(texts[i], text))
            return (int)i;
    return 0;
}

#define TEXT_OF(table, value) text_of(table, ARRAY_LEN(table), (int)(value))
#define VALUE_OF(table, text) value_of(table, ARRAY_LEN(table), text)

const char *booking_status_text(Hansom__BookingStatus status)
{
    return TEXT_OF(booking_statuses, status);
}

Hansom__BookingStatus booking_status_from_text(const char *text)
{
    return (Hansom__BookingStatus)VALUE_OF(booking_statuses, text);
}

bool booking_status_is_ended(Hansom__BookingStatus status)
{
    return status == HANSOM__BOOKING_STATUS__BOOKING_STATUS_COMPLETED ||
           status == HANSOM__BOOKING_STATUS__BOOKING_STATUS_CANCELLED;
}

bool booking_status_has_driver(Hansom__BookingStatus status)
{
    return status >= HANSOM__BOOKING_STATUS__BOOKING_STATUS_ASSIGNED &&
           status <= HANSOM__BOOKING_STATUS__BOOKING_STATUS_IN_PROGRESS;
}

bool booking_status_is_tracked(Hansom__BookingStatus status)
{
    return status >= HANSOM__BOOKING_STATUS__BOOKING_STATUS_DRIVER_EN_ROUTE_PICKUP &&
           status <= HANSOM__BOOKING_STATUS__BOOKING_STATUS_IN_PROGRESS;
}

const char *role_text(Hansom__Role role)
{
    return TEXT_OF(roles, role);
}

Hansom__Role role_from_text(const char *text)
{
    return (Hansom__Role)VALUE_OF(roles, text);
}

const char *availability_text(Hansom__Availability availability)
{
    return TEXT_OF(availabilities, availability);
}

Hansom__Availability availability_from_text(const char *text)
{
    return (Hansom__Availability)VALUE_OF(availabilities, text);
}

const char *power_mode_text(Hansom__PowerMode mode)
{
    return TEXT_OF(power_modes, mode);
}

Hansom__PowerMode power_mode_from_text(const char *text)
{
    return (Hansom__PowerMode)VALUE_OF(power_modes, text);
}

const char *app_state_text(Hansom__AppState state)
{
    return TEXT_OF(app_states, state);
}

Hansom__AppState app_state_from_text(const char *text)
{
    return (Hansom__AppState)VALUE_OF(app_states, text);
}

const char *push_provider_text(Hansom__PushProvider provider)
{
    return TEXT_OF(push_providers, provider);
}

Hansom__PushProvider push_provider_from_text(const char *text)
{
    return (Hansom__PushProvider)VALUE_OF(push_providers, text);
}

const char *stale_cause_text(Hansom__StaleCause cause)
{
    return TEXT_OF(stale_causes, cause);
}

const char *presence_status_text(Hansom__PresenceStatus status)
{
    return TEXT_OF(presence_statuses, status);
}

const char *presence_reason_text(Hansom__PresenceReason reason)
{
    return TEXT_OF(presence_reasons, reason);
}

const char *policy_why_text(Hansom__PolicyWhy why)
{
    return TEXT_OF(policy_whys, why);
}

const char *receipt_kind_text(Hansom__ReceiptKind kind)
{
    return TEXT_OF(receipt_kinds, kind);
}

Hansom__ReceiptKind receipt_kind_from_text(const char *text)
{
    return (Hansom__ReceiptKind)VALUE_OF(receipt_kinds, text);
}

const char *chat_event_text(Hansom__ChatEvent event)
{
    return TEXT_OF(chat_events, event);
}
