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
 * {type|…} and {event_id|…} are not special. {{ is a brace. A missing field is the empty text. A locale falls back
 * de-CH-1996 -> de-CH -> de -> the default locale; a type to "default". Formatting by ICU.
 */
#include "base/strbuf.h"

struct templates;
struct cJSON;

enum template_use { TEMPLATE_PUSH, TEMPLATE_SMS, TEMPLATE_EMAIL };

/* Reads every *.json of the folder; checks that all is well formed. NULL with a text appended to error that names file
 * and type. default_locale must be one of them. */
struct templates *templates_load(const char *folder, const char *default_locale, struct strbuf *error);
void templates_destroy(struct templates **templates);
/* locale, timezone: "" or unknown ones mean the defaults. Cleared before. title of an SMS is empty. */
void templates_render(struct templates *templates, enum template_use use, const char *type, const char *locale,
                      const char *timezone, const struct cJSON *data, struct strbuf *title, struct strbuf *body);

#endif
