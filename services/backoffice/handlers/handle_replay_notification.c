/* POST /v1/notifications/{event_id}/replay: the dead letters of one event are due again. */
#include "backoffice.h"
#include "core/notification_rules.h"
#include "handlers/replay.h"
#include "routes.h"

void handle_replay_notification(struct backoffice *app, struct exchange *exchange)
{
    Hansom__ReplayRequest request = HANSOM__REPLAY_REQUEST__INIT;
    request.event_id = exchange->id;
    request.limit = REPLAY_MAX;
    replay_ask(app, exchange, &request);
}
