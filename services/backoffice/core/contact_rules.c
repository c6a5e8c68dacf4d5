#include "core/contact_rules.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "core/event_rules.h"
#include "core/json_fields.h"

#define LOCAL_PART_MAX 64
#define LABEL_MAX 63
#define LOCALE_MAX 35
#define TIMEZONE_MAX 64

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ATEXT LETTERS DIGITS "!#$%&'*+-/=?^_`{|}~"

/* --- shapes ------------------------------------------------------------------------------------------------------- */

/* Behind the last of one or more atoms with dots between, NULL if it does not begin with that. */
static const char *skip_dotted(const char *text, const char *atom_characters, size_t atom_max)
{
    for (;; text++) {
        size_t length = strspn(text, atom_characters);
        if (length == 0 || length > atom_max)
            return NULL;
        text += length;
        if (*text != '.')
            return text;
    }
}

/* Behind the closing quote, NULL if there is none. */
static const char *skip_quoted(const char *text)
{
    for (text++; *text >= ' ' && *text <= '~'; text++) {
        if (*text == '"')
            return text + 1;
        if (*text == '\\' && (*++text < ' ' || *text > '~'))
            return NULL;
    }
    return NULL;
}

static bool is_domain(const char *text)
{
    const char *end = skip_dotted(text, LETTERS DIGITS "-", LABEL_MAX);
    if (end == NULL || *end != '\0')
        return false;
    for (const char *at = text; at < end; at++)
        if (*at == '-' && (at == text || at[-1] == '.' || at[1] == '.' || at[1] == '\0'))
            return false;
    return true;
}

bool email_is_valid(const char *text)
{
    if (strlen(text) > EMAIL_MAX)
        return false;
    const char *end = *text == '"' ? skip_quoted(text) : skip_dotted(text, ATEXT, LOCAL_PART_MAX);
    return end != NULL && end - text <= LOCAL_PART_MAX && *end == '@' && is_domain(end + 1);
}

bool phone_is_valid(const char *text)
{
    if (text[0] != '+' || text[1] == '0')
        return false;
    size_t digits = strspn(text + 1, DIGITS);
    return digits >= 8 && digits <= 15 && text[1 + digits] == '\0';
}

bool locale_is_well_formed(const char *text)
{
    size_t length = strspn(text, LETTERS);
    if (length < 2 || length > 8 || strlen(text) > LOCALE_MAX)
        return false;
    for (text += length; *text == '-'; text += 1 + length) {
        length = strspn(text + 1, LETTERS DIGITS);
        if (length < 1 || length > 8)
            return false;
    }
    return *text == '\0';
}

bool timezone_is_well_formed(const char *text)
{
    if (strlen(text) > TIMEZONE_MAX)
        return false;
    for (;; text++) {
        size_t length = strspn(text, LETTERS DIGITS "_+-");
        if (length == 0 || strchr(LETTERS, *text) == NULL)
            return false;
        text += length;
        if (*text != '/')
            return *text == '\0';
    }
}

/* --- preferences -------------------------------------------------------------------------------------------------- */

static bool read_channels(const cJSON *preferences, Hansom__Preferences *wishes, struct field_error *error)
{
    const cJSON *channels = NULL;
    if (!field_object(preferences, "channels", &channels, error))
        return false;
    struct field_error inner = {error->text, error->size, "preferences.channels."};
    bool push = true, email = true, sms = true;
    if (!field_names_are(channels, "push email sms", "preferences.channels", &inner) ||
        !field_bool(channels, "push", &push, &inner) || !field_bool(channels, "email", &email, &inner) ||
        !field_bool(channels, "sms", &sms, &inner))
        return false;
    wishes->push_off = !push;
    wishes->email_off = !email;
    wishes->sms_off = !sms;
    return true;
}

static bool read_muted_types(const cJSON *preferences, struct contacts *contacts, struct field_error *error)
{
    const cJSON *types = cJSON_GetObjectItemCaseSensitive(preferences, "muted_types"), *type;
    if (types == NULL || cJSON_IsNull(types))
        return true;
    if (!cJSON_IsArray(types) || cJSON_GetArraySize(types) > MUTED_TYPES_MAX)
        return field_fail_named(error, "muted_types", "must be an array of at most 64 types");
    cJSON_ArrayForEach(type, types)
    {
        if (!cJSON_IsString(type) || !event_type_is_valid(type->valuestring))
            return field_fail_named(error, "muted_types", "each must be 1 to 64 of a-z 0-9 _");
        contacts->muted_types[contacts->preferences.n_muted_types++] = type->valuestring;
    }
    return true;
}

/* "22:00" as minutes since midnight. */
static bool read_minute(const cJSON *hours, const char *name, uint32_t *minute_r, struct field_error *error)
{
    const char *text = NULL;
    if (!field_text(hours, name, FIELD_REQUIRED, &text, error))
        return false;
    bool is_shaped = strlen(text) == 5 && strspn(text, DIGITS) == 2 && text[2] == ':' && strspn(text + 3, DIGITS) == 2;
    if (is_shaped) {
        unsigned hour = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
        unsigned minute = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
        *minute_r = hour * 60 + minute;
        is_shaped = hour < 24 && minute < 60;
    }
    return is_shaped || field_fail_named(error, name, "must be a time from 00:00 to 23:59");
}

static bool read_quiet_hours(const cJSON *preferences, Hansom__Preferences *wishes, struct field_error *error)
{
    const cJSON *hours = NULL;
    if (!field_object(preferences, "quiet_hours", &hours, error))
        return false;
    wishes->has_quiet_hours = hours != NULL;
    if (hours == NULL)
        return true;
    struct field_error inner = {error->text, error->size, "preferences.quiet_hours."};
    return field_names_are(hours, "from to", "preferences.quiet_hours", &inner) &&
           read_minute(hours, "from", &wishes->quiet_from_min, &inner) &&
           read_minute(hours, "to", &wishes->quiet_to_min, &inner);
}

static bool read_preferences(const cJSON *body, struct contacts *contacts, struct field_error *error)
{
    const cJSON *preferences = NULL;
    if (!field_object(body, "preferences", &preferences, error))
        return false;
    struct field_error inner = {error->text, error->size, "preferences."};
    return field_names_are(preferences, "channels muted_types quiet_hours", "preferences", &inner) &&
           read_channels(preferences, &contacts->preferences, &inner) &&
           read_muted_types(preferences, contacts, &inner) &&
           read_quiet_hours(preferences, &contacts->preferences, &inner);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static bool read_checked(const cJSON *body, const char *name, bool (*is_valid)(const char *), const char *what,
                         char **value_r, struct field_error *error)
{
    const char *text = NULL;
    if (!field_text(body, name, FIELD_OPTIONAL, &text, error))
        return false;
    if (text != NULL && !is_valid(text))
        return field_fail_named(error, name, what);
    if (text != NULL)
        *value_r = (char *)text;
    return true;
}

bool contacts_read(const cJSON *body, struct contacts *contacts_r, char *error, size_t error_size)
{
    struct field_error why = {.text = error, .size = error_size};
    Hansom__ContactsPut *put = &contacts_r->put;
    hansom__contacts_put__init(put);
    hansom__preferences__init(&contacts_r->preferences);
    put->preferences = &contacts_r->preferences;
    contacts_r->preferences.muted_types = contacts_r->muted_types;
    return read_checked(body, "email", email_is_valid, "must be an address like name@example.com, or null", &put->email,
                        &why) &&
           read_checked(body, "phone", phone_is_valid, "must be + and 8 to 15 digits (E.164), or null", &put->phone,
                        &why) &&
           read_checked(body, "locale", locale_is_well_formed, "must be a language tag like de-CH, or null",
                        &put->locale, &why) &&
           read_checked(body, "timezone", timezone_is_well_formed, "must be a name like Europe/Zurich, or null",
                        &put->timezone, &why) &&
           read_preferences(body, contacts_r, &why);
}

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    json_kv_string(json, name, *text == '\0' ? NULL : text);
}

static void write_minute(struct json_writer *json, const char *name, uint32_t minute)
{
    char text[16];
    snprintf(text, sizeof(text), "%02u:%02u", minute / 60 % 24, minute % 60);
    json_kv_string(json, name, text);
}

static void write_quiet_hours(struct json_writer *json, const Hansom__Preferences *wishes)
{
    json_key(json, "quiet_hours");
    if (!wishes->has_quiet_hours) {
        json_null(json);
        return;
    }
    json_begin_object(json);
    write_minute(json, "from", wishes->quiet_from_min);
    write_minute(json, "to", wishes->quiet_to_min);
    json_end_object(json);
}

static void write_preferences(struct json_writer *json, const Hansom__Preferences *wishes)
{
    json_begin_object(json);
    json_key(json, "channels");
    json_begin_object(json);
    json_kv_bool(json, "push", !wishes->push_off);
    json_kv_bool(json, "email", !wishes->email_off);
    json_kv_bool(json, "sms", !wishes->sms_off);
    json_end_object(json);
    json_key(json, "muted_types");
    json_begin_array(json);
    for (size_t i = 0; i < wishes->n_muted_types; i++)
        json_string(json, wishes->muted_types[i]);
    json_end_array(json);
    write_quiet_hours(json, wishes);
    json_end_object(json);
}

void contacts_write(struct json_writer *json, const Hansom__ContactsPut *put)
{
    json_begin_object(json);
    json_kv_string(json, "user_id", put->user_id);
    write_text(json, "email", put->email);
    write_text(json, "phone", put->phone);
    write_text(json, "locale", put->locale);
    write_text(json, "timezone", put->timezone);
    json_key(json, "preferences");
    write_preferences(json, put->preferences);
    json_end_object(json);
}
