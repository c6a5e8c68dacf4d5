#ifndef HANSOM_NOTIFICATION_RULES_H
#define HANSOM_NOTIFICATION_RULES_H
/* What may be asked about notifications, and how the ledger looks in JSON. Pure. */
#include "base/json_writer.h"
#include "core/query.h"
#include "proto/bus.pb-c.h"

struct cJSON;

#define REPLAY_MAX 10000

/* Of GET /v1/notifications/{event_id}: user_id. Strings of request_r belong to the query, here and below. False with a
 * text that names the parameter. */
MUST_CHECK bool ledger_request_read(const struct query *query, Hansom__LedgerRequest *request_r, char *error,
                                    size_t error_size);
/* Of GET /v1/notifications: state (must be dead), channel, before, limit. */
MUST_CHECK bool dead_request_read(const struct query *query, Hansom__DeadRequest *request_r, char *error,
                                  size_t error_size);
/* {"channel","limit"?} */
MUST_CHECK bool replay_request_read(const struct cJSON *body, Hansom__ReplayRequest *request_r, char *error,
                                    size_t error_size);

/* {"events":[…]}: every event with its steps, its deliveries and their attempts. */
void ledger_write(struct json_writer *json, const Hansom__LedgerReply *reply);
/* {"notifications":[…],"before":N|null,"has_more":…}; before leads to the next older ones. */
void dead_write(struct json_writer *json, const Hansom__DeadReply *reply);

#endif
