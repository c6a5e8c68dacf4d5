#include "token_refresher.h"

#include "access_token.h"
#include "backoffice.h"
#include "base/clock.h"
#include "base/list.h"
#include "log/log.h"
#include "proto/subjects.h"
#include "session_db.h"
#include "wire/wire.h"

#define QUEUE_GROUP "backoffice"
/* How often, and for how long, an uncertain rotation is repeated. */
#define REPEAT_MS 200
#define REPEAT_FOR_MS 4000

struct token_refresher {
    struct backoffice *app;
    struct bus_subscription *subscription;
    struct list_node refreshes;
    unsigned active;
};

struct refresh {
    struct list_node node;
    struct token_refresher *refresher;
    uv_timer_t repeat;
    char reply_subject[SUBJECT_SIZE];
    char old_sha256[65];
    struct refresh_token token;
    int64_t started_ms;
    bool is_uncertain; /* a rotation was sent whose outcome is not known */
};

static void on_rotated(void *context, enum pg_status status, const struct pg_result *result);

static void on_repeat_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void free_refresh(struct refresh *refresh)
{
    refresh->refresher->active--;
    list_remove(&refresh->node);
    uv_close((uv_handle_t *)&refresh->repeat, on_repeat_closed);
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static void send_reply(struct backoffice *app, const char *subject, const Hansom__TokenRefreshReply *reply,
                       enum refresh_outcome outcome)
{
    metrics_add(app->metrics, METRIC_BACKOFFICE_REFRESHES, outcome, 0, 1);
    struct strbuf packed;
    strbuf_init(&packed, 1024);
    MESSAGE_PACK(&packed, reply);
    if (!bus_publish(app->bus, subject, packed.data, packed.length))
        LOG_WARN("refresh_answer_not_sent");
    strbuf_finish(&packed);
}

static void refuse(struct backoffice *app, const char *subject, enum error_code code, enum refresh_outcome outcome)
{
    Hansom__TokenRefreshReply reply = HANSOM__TOKEN_REFRESH_REPLY__INIT;
    reply.error_code = (char *)error_code_name(code);
    send_reply(app, subject, &reply, outcome);
}

static void finish_refused(struct refresh *refresh, enum error_code code, enum refresh_outcome outcome)
{
    refuse(refresh->refresher->app, refresh->reply_subject, code, outcome);
    free_refresh(refresh);
}

static size_t split_scopes(char *text, const char **scopes)
{
    size_t count = 0;
    for (char *scope; (scope = strsep(&text, " ")) != NULL;)
        if (*scope != '\0' && count < SESSION_SCOPES_MAX)
            scopes[count++] = scope;
    return count;
}

static void grant(struct refresh *refresh, const struct pg_result *result)
{
    struct backoffice *app = refresh->refresher->app;
    char *scope_text = mem_strdup(pg_value(result, 0, 3));
    const char *scopes[SESSION_SCOPES_MAX];
    struct session session = {
        .user_id = pg_value(result, 0, 0),
        .role = pg_value(result, 0, 1),
        .platform = pg_value(result, 0, 2),
        .scopes = scopes,
        .scope_count = split_scopes(scope_text, scopes),
        .access_ttl_s = pg_value_int(result, 0, 4),
        .now_ms = clock_wall_ms(),
    };
    char *access_token = access_token_sign(app, &session, pg_value_int(result, 0, 5), TOKEN_REFRESH);
    mem_free(scope_text);
    if (access_token == NULL) {
        finish_refused(refresh, ERROR_internal, REFRESH_UNAVAILABLE);
        return;
    }
    Hansom__TokenRefreshReply reply = HANSOM__TOKEN_REFRESH_REPLY__INIT;
    reply.access_token = access_token;
    reply.expires_in_s = (uint32_t)session.access_ttl_s;
    reply.refresh_token = refresh->token.text;
    reply.refresh_expires_in_s = (uint32_t)app->settings->refresh_ttl_s;
    send_reply(app, refresh->reply_subject, &reply, REFRESH_OK);
    mem_free(access_token);
    free_refresh(refresh);
}

/* --- the rotation ------------------------------------------------------------------------------------------------- */

static void rotate(struct refresh *refresh)
{
    session_db_rotate(refresh->refresher->app, refresh->old_sha256, &refresh->token, clock_wall_ms(), on_rotated,
                      refresh);
}

static void on_repeat(uv_timer_t *timer)
{
    rotate(timer->data);
}

static void on_revoked(void *context, enum pg_status status, const struct pg_result *result)
{
    struct refresh *refresh = context;
    if (status != PG_OK) {
        finish_refused(refresh, ERROR_unavailable, REFRESH_UNAVAILABLE);
        return;
    }
    bool is_reuse = pg_affected(result) > 0;
    if (is_reuse)
        LOG_WARN("refresh_token_reused");
    finish_refused(refresh, ERROR_unauthorized, is_reuse ? REFRESH_REUSE : REFRESH_UNAUTHORIZED);
}

/* Not done yet: again, as long as the asker may still be waiting. A rotation that surely has not happened is refused at
 * once; the client keeps its token. */
static void repeat_or_give_up(struct refresh *refresh, enum pg_status status)
{
    refresh->is_uncertain |= status == PG_UNCERTAIN;
    bool is_late = clock_wall_ms() - refresh->started_ms > REPEAT_FOR_MS;
    if (refresh->is_uncertain && !is_late)
        uv_timer_start(&refresh->repeat, on_repeat, REPEAT_MS, 0);
    else
        finish_refused(refresh, ERROR_unavailable, REFRESH_UNAVAILABLE);
}

static void on_rotated(void *context, enum pg_status status, const struct pg_result *result)
{
    struct refresh *refresh = context;
    if (status != PG_OK)
        repeat_or_give_up(refresh, status);
    else if (pg_row_count(result) > 0)
        grant(refresh, result);
    else
        session_db_revoke_reused(refresh->refresher->app, refresh->old_sha256, clock_wall_ms(), on_revoked, refresh);
}

static void start(struct token_refresher *refresher, const char *reply_subject, const char *old_sha256)
{
    struct refresh *refresh = mem_alloc(sizeof(*refresh));
    refresh->refresher = refresher;
    refresh->started_ms = clock_wall_ms();
    ASSERT(str_copy(refresh->old_sha256, sizeof(refresh->old_sha256), old_sha256));
    ASSERT(str_copy(refresh->reply_subject, sizeof(refresh->reply_subject), reply_subject));
    refresh_token_generate(&refresh->token);
    uv_timer_init(service_loop(refresher->app->service), &refresh->repeat);
    refresh->repeat.data = refresh;
    list_append(&refresher->refreshes, &refresh->node);
    refresher->active++;
    rotate(refresh);
}

static void on_request(void *context, const struct bus_message *message)
{
    struct token_refresher *refresher = context;
    if (message->reply == NULL || strlen(message->reply) >= SUBJECT_SIZE)
        return;
    Hansom__TokenRefreshRequest *request = hansom__token_refresh_request__unpack(NULL, message->length, message->data);
    char old_sha256[65];
    if (request != NULL && refresh_token_read(request->refresh_token, old_sha256))
        start(refresher, message->reply, old_sha256);
    else
        refuse(refresher->app, message->reply, ERROR_unauthorized, REFRESH_UNAUTHORIZED);
    if (request != NULL)
        hansom__token_refresh_request__free_unpacked(request, NULL);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct token_refresher *token_refresher_create(struct backoffice *app)
{
    struct token_refresher *refresher = mem_alloc(sizeof(*refresher));
    refresher->app = app;
    list_init(&refresher->refreshes);
    refresher->subscription = bus_subscribe(app->bus, SUBJECT_RPC_TOKEN_REFRESH, QUEUE_GROUP, on_request, refresher);
    return refresher;
}

void token_refresher_destroy(struct token_refresher **refresher_pointer)
{
    struct token_refresher *refresher = *refresher_pointer;
    *refresher_pointer = NULL;
    if (refresher == NULL)
        return;
    bus_unsubscribe(&refresher->subscription);
    while (!list_is_empty(&refresher->refreshes))
        free_refresh(CONTAINER_OF(refresher->refreshes.next, struct refresh, node));
    mem_free(refresher);
}

void token_refresher_quiesce(struct token_refresher *refresher)
{
    bus_unsubscribe(&refresher->subscription);
}

unsigned token_refresher_active(const struct token_refresher *refresher)
{
    return refresher->active;
}
