/* Devices, contacts and erasure: what is known of a person. */
#include <stdio.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/utf8.h"
#include "core/subscription.h"
#include "log/log.h"
#include "pg/pg_array.h"
#include "proto/subjects.h"
#include "request.h"

#define MINUTES_PER_DAY 1440

/* NULL: good. */
static const char *check_locale_and_zone(const char *locale, const char *zone)
{
    if (*locale != '\0' && !locale_is_valid(locale))
        return "locale: is not a BCP 47 language tag";
    if (*zone != '\0' && !timezone_is_known(zone))
        return "timezone: is not a known IANA time zone";
    return NULL;
}

static void on_changed(void *context, enum pg_status status, const struct pg_result *result)
{
    if (request_query_done(context, status, result))
        request_answer(context);
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

static const char *check_device(const Hansom__DevicePut *device)
{
    size_t length = strlen(device->token);
    if (!is_id(device->user_id) || !is_id(device->device_id))
        return "device_id: must be 1 to 64 of A-Z a-z 0-9 _ -";
    if (device->provider < HANSOM__PUSH_PROVIDER__PUSH_PROVIDER_FCM ||
        device->provider > HANSOM__PUSH_PROVIDER__PUSH_PROVIDER_WEBPUSH)
        return "provider: must be fcm, apns or webpush";
    if (length == 0 || !utf8_is_valid(device->token, length))
        return "token: must be a text";
    return check_locale_and_zone(device->locale, device->timezone);
}

/* A stranger chose it: what cannot be a push service is not even kept. */
static bool check_subscription(const struct notifier *app, const Hansom__DevicePut *device, struct strbuf *error)
{
    struct subscription subscription;
    return device->provider != HANSOM__PUSH_PROVIDER__PUSH_PROVIDER_WEBPUSH ||
           subscription_parse(device->token, strlen(device->token), app->settings->allow_private_targets, &subscription,
                              error);
}

static void put_device(struct request *request, const Hansom__DevicePut *device)
{
    char sha256[65], channel[NUMBER_SIZE], now[NUMBER_SIZE];
    sha256_hex(device->token, strlen(device->token), sha256);
    const char *const parameters[] = {device->user_id,
                                      device->device_id,
                                      number_text(channel, device->provider),
                                      device->token,
                                      sha256,
                                      device->platform,
                                      device->locale,
                                      device->timezone,
                                      number_text(now, clock_wall_ms())};
    request_query(request, "SELECT notify.put_device($1, $2, $3::smallint, $4, $5, $6, $7, $8, $9::bigint)",
                  ARRAY_LEN(parameters), parameters, on_changed);
}

void request_device_put(struct request *request, const void *message)
{
    const Hansom__DevicePut *device = message;
    struct strbuf error;
    strbuf_init(&error, 64);
    const char *wrong = check_device(device);
    if (wrong == NULL && !check_subscription(request->app, device, &error))
        wrong = error.data;
    if (wrong != NULL)
        request_refuse(request, ERROR_bad_request, wrong);
    else
        put_device(request, device);
    strbuf_finish(&error);
}

static void on_deleted(void *context, enum pg_status status, const struct pg_result *result)
{
    if (!request_query_done(context, status, result))
        return;
    if (pg_affected(result) == 0)
        request_refuse(context, ERROR_not_found, "device_id: there is no such device");
    else
        request_answer(context);
}

void request_device_delete(struct request *request, const void *message)
{
    const Hansom__DeviceDelete *device = message;
    const char *const parameters[] = {device->user_id, device->device_id};
    request_query(request, "DELETE FROM notify.devices WHERE user_id = $1 AND device_id = $2", ARRAY_LEN(parameters),
                  parameters, on_deleted);
}

/* --- contacts ----------------------------------------------------------------------------------------------------- */

static const char *check_contacts(const Hansom__ContactsPut *contacts)
{
    const Hansom__Preferences *wishes = contacts->preferences;
    if (!is_id(contacts->user_id))
        return "id: must be 1 to 64 of A-Z a-z 0-9 _ -";
    if (!utf8_is_valid(contacts->email, strlen(contacts->email)))
        return "email: must be a text";
    if (!utf8_is_valid(contacts->phone, strlen(contacts->phone)))
        return "phone: must be a text";
    for (size_t i = 0; wishes != NULL && i < wishes->n_muted_types; i++)
        if (!is_id(wishes->muted_types[i]))
            return "preferences.muted_types: must be types of events";
    if (wishes != NULL && (wishes->quiet_from_min >= MINUTES_PER_DAY || wishes->quiet_to_min >= MINUTES_PER_DAY))
        return "preferences.quiet_hours: must be times of day";
    return check_locale_and_zone(contacts->locale, contacts->timezone);
}

/* An address that was declared dead is tried again when it is put again. */
static const char contacts_sql[] =
    "INSERT INTO notify.contacts (user_id, email, phone, locale, timezone, push_off, email_off, sms_off, muted_types, "
    "quiet_from_min, quiet_to_min, updated_ms) VALUES ($1, $2, $3, $4, $5, $6::boolean, $7::boolean, $8::boolean, "
    "$9::text[], $10::smallint, $11::smallint, $12::bigint) ON CONFLICT (user_id) DO UPDATE SET email = "
    "excluded.email, "
    "phone = excluded.phone, locale = excluded.locale, timezone = excluded.timezone, push_off = excluded.push_off, "
    "email_off = excluded.email_off, sms_off = excluded.sms_off, muted_types = excluded.muted_types, "
    "quiet_from_min = excluded.quiet_from_min, quiet_to_min = excluded.quiet_to_min, updated_ms = excluded.updated_ms, "
    "email_dead_ms = NULL, phone_dead_ms = NULL";

static void write_contacts(struct request *request, const Hansom__ContactsPut *contacts,
                           const Hansom__Preferences *wishes)
{
    struct pg_array muted;
    char from[NUMBER_SIZE], to[NUMBER_SIZE], now[NUMBER_SIZE];
    pg_array_begin(&muted);
    for (size_t i = 0; i < wishes->n_muted_types; i++)
        pg_array_text(&muted, wishes->muted_types[i]);
    const char *const parameters[] = {contacts->user_id,
                                      contacts->email,
                                      contacts->phone,
                                      contacts->locale,
                                      contacts->timezone,
                                      wishes->push_off ? "t" : "f",
                                      wishes->email_off ? "t" : "f",
                                      wishes->sms_off ? "t" : "f",
                                      pg_array_end(&muted),
                                      wishes->has_quiet_hours ? number_text(from, wishes->quiet_from_min) : NULL,
                                      wishes->has_quiet_hours ? number_text(to, wishes->quiet_to_min) : NULL,
                                      number_text(now, clock_wall_ms())};
    request_query(request, contacts_sql, ARRAY_LEN(parameters), parameters, on_changed);
    pg_array_finish(&muted);
}

void request_contacts_put(struct request *request, const void *message)
{
    static const Hansom__Preferences no_wishes = HANSOM__PREFERENCES__INIT;
    const Hansom__ContactsPut *contacts = message;
    const char *wrong = check_contacts(contacts);
    if (wrong != NULL)
        request_refuse(request, ERROR_bad_request, wrong);
    else
        write_contacts(request, contacts, contacts->preferences == NULL ? &no_wishes : contacts->preferences);
}

/* --- erasure ------------------------------------------------------------------------------------------------------ */

/* The ledger stays, without what it was about; what still waits is not sent any more. Then the stream forgets too. */
static const char erase_sql[] =
    "WITH devices AS (DELETE FROM notify.devices WHERE user_id = $1), "
    "contacts AS (DELETE FROM notify.contacts WHERE user_id = $1), "
    "emptied AS (UPDATE notify.events SET data = '{}' WHERE user_id = $1 AND data <> '{}'), "
    "held AS (UPDATE notify.deliveries d SET state = 6, reason = 'erased' FROM notify.events e WHERE e.user_id = $1 "
    "AND d.event_key = e.event_key AND d.state = 0), "
    "stopped AS (UPDATE notify.steps s SET state = 4, reason = 'erased' FROM notify.events e WHERE e.user_id = $1 "
    "AND s.event_key = e.event_key AND s.state = 0) SELECT $1";

static void on_purged(void *context, enum bus_status status, const struct bus_message *reply)
{
    (void)reply;
    if (status == BUS_OK)
        request_answer(context);
    else
        request_fail(context, ERROR_unavailable);
}

static void on_erased(void *context, enum pg_status status, const struct pg_result *result)
{
    struct request *request = context;
    char subject[SUBJECT_SIZE];
    if (!request_query_done(request, status, result))
        return;
    snprintf(subject, sizeof(subject), SUBJECT_IN_EVENTS, pg_value(result, 0, 0));
    bus_purge_subject(request->app->bus, STREAM_EVENTS, subject, REQUEST_TIMEOUT_MS, on_purged, request);
}

void request_erase(struct request *request, const void *message)
{
    const Hansom__NotifyEraseRequest *erase = message;
    if (!is_id(erase->user_id)) {
        request_refuse(request, ERROR_bad_request, "id: must be 1 to 64 of A-Z a-z 0-9 _ -");
        return;
    }
    LOG_INFO("person_erased", LOG_STR("user", erase->user_id));
    request_query(request, erase_sql, 1, (const char *const[]){erase->user_id}, on_erased);
}
