#include "session_db.h"

#include "auth/auth.h"
#include "backoffice.h"
#include "base/ids.h"
#include "proto/subjects.h"
#include "wire/wire.h"

#define TOKEN_PREFIX "hr1."
#define TOKEN_RANDOM_BYTES 32
#define TOKEN_RANDOM_LENGTH 43

/* --- refresh tokens ----------------------------------------------------------------------------------------------- */

void refresh_token_generate(struct refresh_token *token_r)
{
    unsigned char bytes[TOKEN_RANDOM_BYTES];
    random_bytes(bytes, sizeof(bytes));
    struct strbuf text;
    strbuf_init(&text, REFRESH_TOKEN_SIZE);
    strbuf_append_string(&text, TOKEN_PREFIX);
    base64url_encode(&text, bytes, sizeof(bytes));
    ASSERT(str_copy(token_r->text, sizeof(token_r->text), text.data));
    strbuf_finish(&text);
    ASSERT(refresh_token_read(token_r->text, token_r->sha256));
}

bool refresh_token_read(const char *text, char sha256_r[65])
{
    size_t length = strlen(text);
    if (strncmp(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) != 0 || length != strlen(TOKEN_PREFIX) + TOKEN_RANDOM_LENGTH)
        return false;
    sha256_hex(text, length, sha256_r);
    return true;
}

/* --- families ----------------------------------------------------------------------------------------------------- */

/* created_at is never before the cut-off that was seen: a family made while a cut-off was being written is then before
 * it, and session_db_rotate refuses it. */
static const char create_sql[] =
    "WITH cutoff AS (SELECT COALESCE((SELECT not_before_ms FROM session_cutoffs WHERE user_id = $2), 0) AS ms), "
    "family AS (INSERT INTO refresh_families (family_id, user_id, role, platform, device_id, scopes, access_ttl_s, "
    "created_at_ms, expires_at_ms) "
    "SELECT $1::uuid, $2, $3, $4, $5, $6::text[], $7::integer, GREATEST($8::bigint, cutoff.ms), $9::bigint FROM "
    "cutoff), "
    "token AS (INSERT INTO refresh_tokens (token_sha256, family_id, expires_at_ms) VALUES ($10, $1::uuid, $9::bigint)) "
    "SELECT ms FROM cutoff";

void session_db_create(struct backoffice *app, const struct session *session, const struct refresh_token *token,
                       pg_result_cb *callback, void *context)
{
    char family_id[UUID_SIZE], ttl[NUMBER_SIZE], now[NUMBER_SIZE], expires[NUMBER_SIZE];
    uuid_generate(family_id);
    struct strbuf scopes;
    strbuf_init(&scopes, 256);
    scopes_write_array(&scopes, session->scopes, session->scope_count);
    const char *const parameters[] = {
        family_id,
        session->user_id,
        session->role,
        session->platform,
        session->device_id,
        scopes.data,
        number_text(ttl, session->access_ttl_s),
        number_text(now, session->now_ms),
        number_text(expires, session->now_ms + app->settings->refresh_ttl_s * 1000),
        token->sha256,
    };
    pg_query(app->pg, create_sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(app), callback, context);
    strbuf_finish(&scopes);
}

static const char rotate_sql[] =
    "WITH spent AS (UPDATE refresh_tokens AS t SET spent_at_ms = COALESCE(t.spent_at_ms, $3::bigint), "
    "successor_sha256 = $2 FROM refresh_families AS f "
    "WHERE t.token_sha256 = $1 AND f.family_id = t.family_id "
    "AND (t.spent_at_ms IS NULL OR t.successor_sha256 = $2) AND t.expires_at_ms > $3::bigint "
    "AND f.revoked_at_ms IS NULL AND f.created_at_ms >= "
    "COALESCE((SELECT c.not_before_ms FROM session_cutoffs AS c WHERE c.user_id = f.user_id), 0) "
    "RETURNING f.family_id, f.user_id, f.role, f.platform, f.scopes, f.access_ttl_s), "
    "made AS (INSERT INTO refresh_tokens (token_sha256, family_id, expires_at_ms) "
    "SELECT $2, family_id, $4::bigint FROM spent ON CONFLICT (token_sha256) DO NOTHING), "
    "extended AS (UPDATE refresh_families AS f SET expires_at_ms = $4::bigint FROM spent "
    "WHERE f.family_id = spent.family_id) "
    "SELECT user_id, role, platform, array_to_string(scopes, ' '), access_ttl_s, "
    "COALESCE((SELECT c.not_before_ms FROM session_cutoffs AS c WHERE c.user_id = spent.user_id), 0) FROM spent";

void session_db_rotate(struct backoffice *app, const char *old_sha256, const struct refresh_token *token,
                       int64_t now_ms, pg_result_cb *callback, void *context)
{
    char now[NUMBER_SIZE], expires[NUMBER_SIZE];
    const char *const parameters[] = {
        old_sha256,
        token->sha256,
        number_text(now, now_ms),
        number_text(expires, now_ms + app->settings->refresh_ttl_s * 1000),
    };
    pg_query(app->pg, rotate_sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(app), callback, context);
}

void session_db_revoke_reused(struct backoffice *app, const char *old_sha256, int64_t now_ms, pg_result_cb *callback,
                              void *context)
{
    char now[NUMBER_SIZE];
    const char *const parameters[] = {old_sha256, number_text(now, now_ms)};
    pg_query(app->pg,
             "UPDATE refresh_families AS f SET revoked_at_ms = $2::bigint, revoked_why = 'reuse' "
             "FROM refresh_tokens AS t WHERE t.token_sha256 = $1 AND t.spent_at_ms IS NOT NULL "
             "AND f.family_id = t.family_id AND f.revoked_at_ms IS NULL",
             ARRAY_LEN(parameters), parameters, query_timeout_ms(app), callback, context);
}

/* --- cut-offs ----------------------------------------------------------------------------------------------------- */

/* Tokens may have been made for the second that an earlier cut-off begins: a new one is never the same. */
void session_db_cut_off(struct backoffice *app, const char *user_id, int64_t now_ms, pg_result_cb *callback,
                        void *context)
{
    char now[NUMBER_SIZE], cutoff[NUMBER_SIZE];
    const char *const parameters[] = {user_id, number_text(now, now_ms), number_text(cutoff, cutoff_of(now_ms))};
    pg_query(
        app->pg,
        "WITH gone AS (UPDATE refresh_families SET revoked_at_ms = $2::bigint, revoked_why = 'cut_off' "
        "WHERE user_id = $1 AND revoked_at_ms IS NULL) "
        "INSERT INTO session_cutoffs AS c (user_id, not_before_ms) VALUES ($1, $3::bigint) "
        "ON CONFLICT (user_id) DO UPDATE SET not_before_ms = GREATEST(c.not_before_ms + 1000, EXCLUDED.not_before_ms) "
        "RETURNING not_before_ms",
        ARRAY_LEN(parameters), parameters, query_timeout_ms(app), callback, context);
}

static uint64_t packed_cutoff(const void *bytes, size_t length)
{
    Hansom__SessionCutoff *message = hansom__session_cutoff__unpack(NULL, length, bytes);
    if (message == NULL)
        return 0;
    uint64_t not_before_ms = (uint64_t)message->not_before_ms;
    hansom__session_cutoff__free_unpacked(message, NULL);
    return not_before_ms;
}

void cutoff_publish(struct backoffice *app, const char *user_id, int64_t not_before_ms, kv_done_cb *callback,
                    void *context)
{
    Hansom__SessionCutoff message = HANSOM__SESSION_CUTOFF__INIT;
    message.user_id = (char *)user_id;
    message.not_before_ms = not_before_ms;
    struct strbuf packed;
    strbuf_init(&packed, 128);
    MESSAGE_PACK(&packed, &message);
    kv_write_newer(app->kv_writer,
                   &(struct kv_record){.bucket = BUCKET_SESSIONS,
                                       .key = user_id,
                                       .version = (uint64_t)not_before_ms,
                                       .version_of = packed_cutoff,
                                       .data = packed.data,
                                       .length = packed.length,
                                       .note_sql = "UPDATE session_cutoffs SET kv_published_ms = $2::bigint "
                                                   "WHERE user_id = $1 AND kv_published_ms < $2::bigint"},
                   callback, context);
    strbuf_finish(&packed);
}
