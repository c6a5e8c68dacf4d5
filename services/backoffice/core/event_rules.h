#ifndef HANSOM_EVENT_RULES_H
#define HANSOM_EVENT_RULES_H
/* What a back end may post as a user's event. Pure. */
#include "base/base.h"
#include "proto/bus.pb-c.h"

struct cJSON;

#define EVENT_DATA_MAX 16384 /* bytes, as JSON */

/* 1 to 64 of a-z 0-9 _ */
bool event_type_is_valid(const char *text);

/*
 * {"event_id","type","critical"?,"expires_at"?,"collapse_key"?,"data"}. Strings of event_r belong to the body, but
 * data_json: free it with cJSON_free. False with a text that names the field.
 */
MUST_CHECK bool event_read(const struct cJSON *body, int64_t now_ms, Hansom__UserEvent *event_r, char *error,
                           size_t error_size);

#endif
