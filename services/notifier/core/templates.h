#ifndef HANSOM_TEMPLATES_H
#define HANSOM_TEMPLATES_H
/*
 * What people read, per type of event and language. A folder holds one JSON file per locale ("en.json", "de-CH.json"):
 *
 *     {"assignment_offer": {"title": "New ride", "body": "Pick-up at {pickup_at|time}",
 *                           "sms": "…"?, "subject": "…"?, "email": "…"?}, "default": {…}, …}
 *
 * `sms` falls back to `body`, `subject` to `title`, `email` to `body`. {field} is a field of the event's data (dots go
 * deeper), {field|time}, {field|date}, {field|datetime} an RFC 3339 time in the user's language and time zone;
 * {type|…} and {event_id|…} are not special. {{ is a brace, and so is }}. A missing field, or one that is neither text,
 * number nor truth value (or no time where one is wanted), is the empty text. Formatting by ICU.
 *
 * Where one text does not fit all, a field of the data chooses among others; what a variant does not state, and every
 * value that is not listed, has the texts beside it:
 *
 *     {"booking_status_changed": {"title": "Your booking", "body": "Open the app to see what is new.",
 *         "variants": {"field": "status", "cancelled": {"title": "Cancelled", "body": "Your booking was cancelled."}}}}
 *
 * A locale falls back de-CH-1996 -> de-CH -> de -> the default locale; a type to "default". A reader's own language
 * goes first: of it the type, of it "default", then the default locale's type, then its "default".
 */
#include "base/strbuf.h"

#define TEMPLATE_TITLE_MAX_BYTES 120
#define TEMPLATE_BODY_MAX_BYTES 1024
#define TEMPLATE_TEXT_MAX_BYTES 4096 /* of one text in a file */

struct templates;
struct cJSON;

enum template_use { TEMPLATE_PUSH, TEMPLATE_SMS, TEMPLATE_EMAIL };

/* Reads every *.json of the folder; checks that all is well formed. NULL with a text appended to error that names file
 * and type. default_locale must be one of them, and have "default". */
struct templates *templates_load(const char *folder, const char *default_locale, struct strbuf *error);
void templates_destroy(struct templates **templates);
/* locale, timezone: "" or unknown ones mean the default locale, UTC. Cleared before. title of an SMS is empty. Without
 * control characters; title one line of at most TEMPLATE_TITLE_MAX_BYTES, body lines of TEMPLATE_BODY_MAX_BYTES. */
void templates_render(struct templates *templates, enum template_use use, const char *type, const char *locale,
                      const char *timezone, const struct cJSON *data, struct strbuf *title, struct strbuf *body);

/* The steps of templates_load: none yet, and one more locale from the text of its file. False with a text appended to
 * error that names the type ("assignment_offer.title: ..."). */
struct templates *templates_create(const char *default_locale);
MUST_CHECK bool templates_add(struct templates *templates, const char *locale, const char *json, size_t length,
                              struct strbuf *error);

#endif
