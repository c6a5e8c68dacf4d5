#include "access_token.h"
#include "auth/sign.h"
#include "backoffice.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "routes.h"

struct post_session {
    struct backoffice *app;
    struct exchange *exchange;
    struct session_wish wish; /* strings belong to exchange->json */
    struct session session;
    struct refresh_token refresh_token;
};

static void write_answer(const struct post_session *post, const char *access_token, struct strbuf *answer)
{
    struct json_writer json;
    json_writer_init(&json, answer);
    json_begin_object(&json);
    json_kv_string(&json, "access_token", access_token);
    json_kv_string(&json, "token_type", "Bearer");
    json_kv_int(&json, "expires_in", post->session.access_ttl_s);
    json_kv_string(&json, "refresh_token", post->refresh_token.text);
    json_kv_int(&json, "refresh_expires_in", post->app->settings->refresh_ttl_s);
    json_kv_string(&json, "user_id", post->session.user_id);
    json_kv_string(&json, "role", post->session.role);
    json_end_object(&json);
}

static void on_created(void *context, enum pg_status status, const struct pg_result *result)
{
    struct post_session *post = context;
    struct exchange *exchange = post->exchange;
    if (status != PG_OK) {
        exchange_unavailable(exchange, "the database is not available");
        return;
    }
    char *access_token = access_token_sign(post->app, &post->session, pg_value_int(result, 0, 0), TOKEN_SESSION);
    if (access_token == NULL) {
        exchange_fail(exchange, ERROR_internal, "the token could not be signed");
        return;
    }
    write_answer(post, access_token, &exchange->answer);
    mem_free(access_token);
    exchange_reply(exchange, 201);
}

static void use_role_scopes(struct session *session)
{
    session->scopes = role_default_scopes(session->role);
    ASSERT(session->scopes != NULL);
    while (session->scopes[session->scope_count] != NULL)
        session->scope_count++;
}

static void fill_session(struct post_session *post)
{
    const struct session_wish *wish = &post->wish;
    post->session = (struct session){
        .user_id = wish->user_id,
        .role = wish->role,
        .platform = wish->platform,
        .device_id = wish->device_id,
        .access_ttl_s = wish->ttl_s != 0 ? wish->ttl_s : post->app->settings->access_ttl_s,
        .now_ms = clock_wall_ms(),
    };
    if (wish->has_scopes) {
        post->session.scopes = wish->scopes;
        post->session.scope_count = wish->scope_count;
    } else {
        use_role_scopes(&post->session);
    }
}

void handle_post_session(struct backoffice *app, struct exchange *exchange)
{
    struct post_session *post = exchange_alloc(exchange, sizeof(*post));
    post->app = app;
    post->exchange = exchange;
    char error[160];
    if (!session_wish_read(exchange->json, &post->wish, error, sizeof(error))) {
        exchange_fail(exchange, ERROR_bad_request, error);
        return;
    }
    fill_session(post);
    refresh_token_generate(&post->refresh_token);
    session_db_create(app, &post->session, &post->refresh_token, on_created, post);
}
