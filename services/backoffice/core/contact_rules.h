#ifndef HANSOM_CONTACT_RULES_H
#define HANSOM_CONTACT_RULES_H
/* How a person can be reached when the app cannot, and what they want: PUT /v1/users/{id}/contacts. Pure. */
#include "base/json_writer.h"
#include "proto/bus.pb-c.h"

struct cJSON;

#define EMAIL_MAX 254
#define MUTED_TYPES_MAX 64

/* RFC 5321 Mailbox in ASCII with a domain name (no address literal), without a display name. */
bool email_is_valid(const char *text);
/* E.164: + and 8 to 15 digits, the first not 0. */
bool phone_is_valid(const char *text);
/* The shapes only; whether they exist is the notifier's to know. */
bool locale_is_well_formed(const char *text);   /* BCP 47, at most 35 bytes */
bool timezone_is_well_formed(const char *text); /* IANA name, at most 64 bytes */

/* Points into itself: not to be copied. */
struct contacts {
    Hansom__ContactsPut put;
    Hansom__Preferences preferences;
    char *muted_types[MUTED_TYPES_MAX];
};
/*
 * {"email","phone","locale","timezone","preferences"}: each may be absent or null, which means that there is none.
 * preferences: {"channels":{"push","email","sms"}?, "muted_types":[…]?, "quiet_hours":{"from":"22:00","to":"07:00"}?}.
 * Strings of contacts_r belong to the body; put.user_id is left to the caller. False with a text that names the field.
 */
MUST_CHECK bool contacts_read(const struct cJSON *body, struct contacts *contacts_r, char *error, size_t error_size);
/* One object with everything in it, null for what there is not. */
void contacts_write(struct json_writer *json, const Hansom__ContactsPut *put);

#endif
