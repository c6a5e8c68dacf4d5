#include "access_token.h"

#include "auth/sign.h"
#include "backoffice.h"
#include "base/ids.h"
#include "log/log.h"

static const char *or_null(const char *text)
{
    return *text == '\0' ? NULL : text;
}

char *access_token_sign(struct backoffice *app, const struct session *session, int64_t cutoff_ms,
                        enum token_occasion occasion)
{
    char token_id[UUID_SIZE];
    uuid_generate(token_id);
    int64_t issued_s = issued_at_s(session->now_ms, cutoff_ms);
    struct token_request request = {
        .user_id = session->user_id,
        .role = session->role,
        .platform = session->platform,
        .token_id = token_id,
        .issuer = or_null(app->settings->token_issuer),
        .audience = or_null(app->settings->token_audience),
        .scopes = session->scopes,
        .scope_count = session->scope_count,
        .issued_at_s = issued_s,
        .expires_at_s = issued_s + session->access_ttl_s,
    };
    char *error = NULL, *token = token_sign(app->secrets.signer, &request, &error);
    if (token == NULL)
        LOG_ERROR("token_not_signed", LOG_STR("error", error));
    else
        metrics_add(app->metrics, METRIC_BACKOFFICE_TOKENS, occasion, 0, 1);
    mem_free(error);
    return token;
}
