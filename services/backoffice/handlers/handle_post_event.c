/* POST /v1/users/{id}/events: kept with the promise to send it, in one transaction; then it is on its way. */
#include <cjson/cJSON.h>

#include "auth/auth.h"
#include "backoffice.h"
#include "base/clock.h"
#include "core/event_rules.h"
#include "message_outbox.h"
#include "routes.h"

struct post_event {
    struct backoffice *app;
    struct exchange *exchange;
    const char *event_id; /* belongs to exchange->json */
    char fingerprint[65];
};

static void answer(struct post_event *post, unsigned status)
{
    struct json_writer json;
    json_writer_init(&json, &post->exchange->answer);
    json_begin_object(&json);
    json_kv_string(&json, "event_id", post->event_id);
    json_kv_string(&json, "user_id", post->exchange->id);
    json_end_object(&json);
    exchange_reply(post->exchange, status);
}

static void on_kept(void *context, enum pg_status status, const struct pg_result *result)
{
    struct post_event *post = context;
    if (status != PG_OK) {
        exchange_unavailable(post->exchange, "the database is not available");
        return;
    }
    bool is_new = pg_value_int(result, 0, 0) == 1;
    const char *former = pg_value(result, 0, 1);
    if (is_new)
        message_outbox_wake(post->app->message_outbox);
    if (is_new || former == NULL || str_equal(former, post->fingerprint))
        answer(post, is_new ? 201 : 200);
    else
        exchange_fail(post->exchange, ERROR_conflict, "event_id: was used for another event of this user");
}

/* Of everything but the time it was received. */
static void fingerprint(struct post_event *post, const Hansom__UserEvent *event)
{
    Hansom__UserEvent timeless = *event;
    timeless.created_at_ms = 0;
    struct strbuf bytes;
    strbuf_init(&bytes, 512);
    MESSAGE_PACK(&bytes, &timeless);
    sha256_hex(bytes.data, bytes.length, post->fingerprint);
    strbuf_finish(&bytes);
}

static void keep(struct post_event *post, const Hansom__UserEvent *event)
{
    struct announcements list = {0};
    struct message_rows rows;
    char now[NUMBER_SIZE];
    announcements_add_event(&list, event);
    message_rows_init(&rows, &list);
    number_text(now, event->created_at_ms);
    const char *const parameters[] = {event->user_id,          event->event_id,    post->fingerprint,      now,
                                      rows.subjects.text.data, rows.ids.text.data, rows.payloads.text.data};
    pg_query(post->app->pg,
             "WITH noted AS (INSERT INTO user_events (user_id, event_id, request_sha256, created_at_ms) "
             "VALUES ($1, $2, $3, $4::bigint) ON CONFLICT DO NOTHING RETURNING event_id), " QUEUE_MESSAGES(
                 "EXISTS (SELECT FROM noted)", "5", "6", "7",
                 "4") " SELECT (SELECT count(*) FROM noted), "
                      "(SELECT request_sha256 FROM user_events WHERE user_id = $1 AND event_id = $2)",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(post->app), on_kept, post);
    message_rows_finish(&rows);
    announcements_finish(&list);
}

void handle_post_event(struct backoffice *app, struct exchange *exchange)
{
    struct post_event *post = exchange_alloc(exchange, sizeof(*post));
    post->app = app;
    post->exchange = exchange;
    Hansom__UserEvent event;
    char error[160];
    if (!event_read(exchange->json, clock_wall_ms(), &event, error, sizeof(error))) {
        exchange_fail(exchange, ERROR_bad_request, error);
        return;
    }
    event.user_id = exchange->id;
    post->event_id = event.event_id;
    fingerprint(post, &event);
    keep(post, &event);
    cJSON_free(event.data_json);
}
