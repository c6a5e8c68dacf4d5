#include "provider_world.h"

#include <criterion/criterion.h>

#include "shared_token.h"
#include "tests/support/test_folder.h"

struct transfer transfers[TRANSFERS_MAX];
size_t transfer_started, transfer_cancelled;
struct shared_token the_token;

/* --- the transfer client --- */

static char *copy(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

struct transfer *transfer_start(struct transfer_client *client, const struct transfer_request *request,
                                transfer_done_cb *callback, void *context)
{
    (void)client;
    cr_assert_lt(transfer_started, TRANSFERS_MAX);
    struct transfer *transfer = &transfers[transfer_started++];
    *transfer = (struct transfer){.method = copy(request->method),
                                  .url = copy(request->url),
                                  .body = mem_strndup(request->body, request->body_length),
                                  .user = copy(request->basic_user),
                                  .password = copy(request->basic_password),
                                  .is_foreign = request->is_foreign,
                                  .is_http2_only = request->is_http2_only,
                                  .timeout_ms = request->timeout_ms,
                                  .is_mail = request->mail != NULL,
                                  .callback = callback,
                                  .context = context};
    if (request->mail != NULL) {
        transfer->mail_from = copy(request->mail->from);
        transfer->mail_to = copy(request->mail->to);
        transfer->user = copy(request->mail->user);
        transfer->password = copy(request->mail->password);
        transfer->requires_tls = request->mail->requires_tls;
    }
    strbuf_init(&transfer->headers, 0);
    for (size_t i = 0; i < request->header_count; i++)
        strbuf_appendf(&transfer->headers, "%s\n", request->headers[i]);
    return transfer;
}

void transfer_cancel(struct transfer **transfer)
{
    if (*transfer != NULL && !(*transfer)->is_over) {
        (*transfer)->is_over = true;
        transfer_cancelled++;
    }
    *transfer = NULL;
}

const char *transfer_header(const struct transfer *transfer, const char *name)
{
    (void)name;
    return transfer->answer_header;
}

uint64_t transfer_retry_after_ms(const struct transfer *transfer)
{
    return transfer->retry_after_ms;
}

void answer_transfer_with(size_t index, struct transfer_reply reply)
{
    struct transfer *transfer = &transfers[index];
    cr_assert_lt(index, transfer_started);
    cr_assert_not(transfer->is_over, "transfer %zu", index);
    transfer->is_over = true;
    reply.body = reply.body == NULL ? "" : reply.body;
    reply.body_length = strlen(reply.body);
    reply.problem = reply.problem == NULL ? "" : reply.problem;
    transfer->callback(transfer->context, transfer, &reply);
}

void answer_transfer(size_t index, int status, const char *body)
{
    answer_transfer_with(index, (struct transfer_reply){.failure = TRANSFER_OK, .status = status, .body = body});
}

void fail_transfer(size_t index, enum transfer_failure failure)
{
    answer_transfer_with(index, (struct transfer_reply){.failure = failure});
}

/* --- the shared token, and the dispatcher --- */

struct shared_token *shared_token_create(struct shared_tokens *tokens, const char *name, uint64_t renew_after_ms,
                                         shared_token_make *make, void *context)
{
    (void)tokens;
    cr_assert_str_eq(name, "apns.TEAM.KEY");
    cr_assert_eq(renew_after_ms, 40 * 60 * 1000);
    the_token = (struct shared_token){.token = make(context, SAMPLE_NOW_MS)};
    cr_assert_not_null(the_token.token);
    return &the_token;
}

void shared_token_destroy(struct shared_token **token)
{
    mem_free((*token)->token);
    *token = NULL;
}

const char *shared_token_get(struct shared_token *token)
{
    return token->is_missing ? NULL : token->token;
}

void shared_token_refused(struct shared_token *token)
{
    token->refused++;
}

void attempt_done(struct attempt *attempt, const struct outcome *outcome)
{
    attempt->done++;
    attempt->outcome = *outcome;
}

/* --- the world --- */

void world_begin(struct world *world, const struct provider *provider)
{
    static char empty[] = "";
    *world = (struct world){.provider = provider};
    cr_assert_eq(uv_loop_init(&world->loop), 0);
    strbuf_init(&world->error, 0);
    for (size_t i = 0; i < notifier_setting_count; i++) /* all texts are "" */
        if (notifier_setting_rows[i].type == SETTING_TYPE_STRING)
            memcpy((char *)&world->settings + notifier_setting_rows[i].offset, &(char *){empty}, sizeof(char *));
    world->settings.transfer_timeout_ms = 15000;
    world->settings.email_tls = EMAIL_TLS_REQUIRED;
    test_folder_template(world->folder, sizeof(world->folder), "providers");
    cr_assert_not_null(mkdtemp(world->folder));
    snprintf(world->path, sizeof(world->path), "%s/key", world->folder);
}

void world_write_file(const struct world *world, const char *content)
{
    FILE *file = fopen(world->path, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(content, file), 0);
    cr_assert_eq(fclose(file), 0);
}

void *world_create(struct world *world)
{
    struct provider_env env = {.loop = &world->loop, .settings = &world->settings};
    strbuf_clear(&world->error);
    return world->provider->create(&env, &world->error);
}

void world_start(struct world *world)
{
    cr_assert(world->provider->is_configured(&world->settings));
    world->state = world_create(world);
    cr_assert_not_null(world->state, "%s", world->error.data);
    cr_assert_eq(world->error.length, 0);
}

void world_end(struct world *world)
{
    world->provider->destroy(&world->state);
    cr_assert_null(world->state);
    world->provider->destroy(&world->state); /* NULL is allowed */
    uv_run(&world->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&world->loop), 0);
    strbuf_finish(&world->error);
    remove(world->path);
    cr_assert_eq(remove(world->folder), 0);
    for (size_t i = 0; i < transfer_started; i++) {
        struct transfer *transfer = &transfers[i];
        cr_assert(transfer->is_over);
        mem_free(transfer->method);
        mem_free(transfer->url);
        mem_free(transfer->body);
        mem_free(transfer->user);
        mem_free(transfer->password);
        mem_free(transfer->mail_from);
        mem_free(transfer->mail_to);
        strbuf_finish(&transfer->headers);
    }
}

struct attempt *world_send(struct world *world, size_t index, const struct notice *notice)
{
    struct attempt *attempt = &world->attempts[index];
    world->provider->send(world->state, notice, attempt);
    cr_assert_eq(attempt->done, 0, "never before it returns");
    return attempt;
}

void check_attempt(const struct attempt *attempt, enum verdict verdict, enum failure failure)
{
    cr_assert_eq(attempt->done, 1);
    cr_assert_eq(attempt->outcome.verdict, verdict);
    cr_assert_eq(attempt->outcome.failure, failure, "%s", failure_names[attempt->outcome.failure]);
}
