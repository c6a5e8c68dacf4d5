#include <cJSON.h>
#include <criterion/criterion.h>

#include "base/json_writer.h"
#include "core/outcome.h"
#include "notice_sample.h"
#include "notifier_settings.h"
#include "provider.h"
#include "shared_token.h"
#include "test_keys.h"
#include "transfer.h"
#include "tests/support/test_folder.h"

/* --- the transfer client: notes what it is given, and answers when the test says so --- */

#define TRANSFERS_MAX 64

struct transfer {
    char *method, *url, *body, *user, *password, *mail_from, *mail_to;
    struct strbuf headers; /* one a line */
    bool is_foreign, is_http2_only, requires_tls, is_mail;
    uint32_t timeout_ms;
    transfer_done_cb *callback;
    void *context;
    const char *answer_header; /* the value of every header of the answer */
    uint64_t retry_after_ms;
    bool is_over;
};

static struct transfer transfers[TRANSFERS_MAX];
static size_t transfer_started, transfer_cancelled;

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

static void answer_with(size_t index, struct transfer_reply reply)
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

static void answer(size_t index, int status, const char *body)
{
    answer_with(index, (struct transfer_reply){.failure = TRANSFER_OK, .status = status, .body = body});
}

static void fail_with(size_t index, enum transfer_failure failure)
{
    answer_with(index, (struct transfer_reply){.failure = failure});
}

/* --- the shared token, and the dispatcher --- */

struct shared_token {
    char *token;
    unsigned refused;
    bool is_missing;
};
static struct shared_token the_token;

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

struct attempt {
    unsigned done;
    struct outcome outcome;
};

void attempt_done(struct attempt *attempt, const struct outcome *outcome)
{
    attempt->done++;
    attempt->outcome = *outcome;
}

/* --- the world --- */

struct world {
    uv_loop_t loop;
    struct notifier_settings settings;
    const struct provider *provider;
    void *state;
    struct attempt attempts[TRANSFERS_MAX];
    struct strbuf error;
    char folder[128], path[256];
};

static void world_begin(struct world *world, const struct provider *provider)
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

static void write_file(const struct world *world, const char *content)
{
    FILE *file = fopen(world->path, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(content, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void *create(struct world *world)
{
    struct provider_env env = {.loop = &world->loop, .settings = &world->settings};
    strbuf_clear(&world->error);
    return world->provider->create(&env, &world->error);
}

static void start(struct world *world)
{
    cr_assert(world->provider->is_configured(&world->settings));
    world->state = create(world);
    cr_assert_not_null(world->state, "%s", world->error.data);
    cr_assert_eq(world->error.length, 0);
}

static void world_end(struct world *world)
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

static struct attempt *send_one(struct world *world, size_t index, const struct notice *notice)
{
    struct attempt *attempt = &world->attempts[index];
    world->provider->send(world->state, notice, attempt);
    cr_assert_eq(attempt->done, 0, "never before it returns");
    return attempt;
}

static void check(const struct attempt *attempt, enum verdict verdict, enum failure failure)
{
    cr_assert_eq(attempt->done, 1);
    cr_assert_eq(attempt->outcome.verdict, verdict);
    cr_assert_eq(attempt->outcome.failure, failure, "%s", failure_names[attempt->outcome.failure]);
}

/* --- drop --- */

Test(provider_drop, accepts_later)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_FCM, "t");
    world_begin(&world, &drop_provider);
    start(&world);
    for (size_t i = 0; i < 3; i++)
        send_one(&world, i, &notice);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < 3; i++)
        check(&world.attempts[i], VERDICT_ACCEPTED, FAILURE_none);
    send_one(&world, 3, &notice); /* gets no word any more */
    world.provider->destroy(&world.state);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    cr_assert_eq(world.attempts[3].done, 0);
    world_end(&world);
}

/* --- what becomes of transfers without an answer --- */

Test(provider_sms, transfers_that_fail)
{
    static const struct {
        enum transfer_failure failure;
        enum failure expected;
        bool is_uncertain;
    } rows[] = {{TRANSFER_REFUSED, FAILURE_refused_address, false},
                {TRANSFER_CONNECT, FAILURE_connect, false},
                {TRANSFER_TIMEOUT, FAILURE_timeout, true},
                {TRANSFER_CUT, FAILURE_cut, true}};
    struct world world;
    struct notice notice = notice_sample(CHANNEL_SMS, "+41791234567");
    world_begin(&world, &sms_provider);
    world.settings.sms_account = "AC1";
    world.settings.sms_auth_token = "secret";
    world.settings.sms_from = "+1500";
    world.settings.sms_url = "https://sms.example";
    start(&world);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct attempt *attempt = send_one(&world, i, &notice);
        fail_with(i, rows[i].failure);
        check(attempt, VERDICT_RETRY, rows[i].expected);
        cr_assert_eq(attempt->outcome.is_uncertain, rows[i].is_uncertain);
        cr_assert(attempt->outcome.is_provider_fault);
    }
    world_end(&world);
}

Test(provider_sms, request_and_answer)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_SMS, "+41791234567");
    world_begin(&world, &sms_provider);
    cr_assert_not(world.provider->is_configured(&world.settings));
    world.settings.sms_account = "AC1";
    cr_assert_null(create(&world));
    cr_assert_str_eq(world.error.data, "sms_auth_token: is needed for SMS\n"
                                       "sms_from: it or sms_messaging_service is needed for SMS\n");
    world.settings.sms_auth_token = "secret";
    world.settings.sms_messaging_service = "MG1";
    world.settings.sms_url = "https://sms.example";
    start(&world);
    struct attempt *attempt = send_one(&world, 0, &notice);
    cr_assert_str_eq(transfers[0].url, "https://sms.example/2010-04-01/Accounts/AC1/Messages.json");
    cr_assert_str_eq(transfers[0].method, "POST");
    cr_assert_str_eq(transfers[0].user, "AC1");
    cr_assert_str_eq(transfers[0].password, "secret");
    cr_assert_str_eq(transfers[0].headers.data, "content-type: application/x-www-form-urlencoded\n");
    cr_assert_eq(transfers[0].timeout_ms, 15000);
    cr_assert_not(transfers[0].is_foreign);
    cr_assert_not_null(
        strstr(transfers[0].body, "To=%2B41791234567&MessagingServiceSid=MG1&Body=Pick-up+at+%22Gare%22"));
    answer(0, 201, "{\"sid\":\"SM1\"}");
    check(attempt, VERDICT_ACCEPTED, FAILURE_none);
    cr_assert_str_eq(attempt->outcome.provider_id, "SM1");
    send_one(&world, 1, &notice); /* destroyed under way */
    world.provider->destroy(&world.state);
    cr_assert_eq(transfer_cancelled, 1);
    cr_assert_eq(world.attempts[1].done, 0);
    world_end(&world);
}

/* --- APNs --- */

static void apns_begin(struct world *world)
{
    char *key = test_ec_key();
    world_begin(world, &apns_provider);
    cr_assert_not(world->provider->is_configured(&world->settings));
    write_file(world, key);
    mem_free(key);
    world->settings.apns_key_file = world->path;
    cr_assert_null(create(world));
    cr_assert_str_eq(world->error.data, "apns_key_id: is needed for APNs\napns_team_id: is needed for APNs\n"
                                        "apns_topic: is needed for APNs\n");
    world->settings.apns_key_id = "KEY";
    world->settings.apns_team_id = "TEAM";
    world->settings.apns_topic = "com.example.app";
    world->settings.apns_url = "https://apns.example";
    start(world);
}

Test(provider_apns, request_and_answers)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_APNS, "abcd0123");
    apns_begin(&world);
    struct attempt *attempt = send_one(&world, 0, &notice);
    char authorization[1024];
    snprintf(authorization, sizeof(authorization), "\nauthorization: bearer %s\n", the_token.token);
    cr_assert_str_eq(transfers[0].url, "https://apns.example/3/device/abcd0123");
    cr_assert(transfers[0].is_http2_only);
    cr_assert_not_null(strstr(transfers[0].headers.data, authorization));
    cr_assert_not_null(strstr(transfers[0].headers.data, "\napns-id: " SAMPLE_UUID "\n"));
    transfers[0].answer_header = SAMPLE_UUID;
    answer(0, 200, "");
    check(attempt, VERDICT_ACCEPTED, FAILURE_none);
    cr_assert_str_eq(attempt->outcome.provider_id, SAMPLE_UUID);
    attempt = send_one(&world, 1, &notice);
    answer(1, 410, "{\"reason\":\"Unregistered\",\"timestamp\":1454402113000}");
    check(attempt, VERDICT_DEAD, FAILURE_dead_target);
    cr_assert_eq(attempt->outcome.dead_since_ms, 1454402113000);
    cr_assert_eq(the_token.refused, 0);
    attempt = send_one(&world, 2, &notice);
    transfers[2].retry_after_ms = 9000;
    answer(2, 403, "{\"reason\":\"ExpiredProviderToken\"}");
    check(attempt, VERDICT_RETRY, FAILURE_unauthorized);
    cr_assert_eq(attempt->outcome.retry_after_ms, 9000);
    cr_assert_eq(the_token.refused, 1);
    world_end(&world);
}

Test(provider_apns, what_is_never_sent)
{
    struct world world;
    apns_begin(&world);
    struct notice bad_token = notice_sample(CHANNEL_APNS, "../../etc");
    struct notice large = notice_sample(CHANNEL_APNS, "abcd");
    struct notice good = notice_sample(CHANNEL_APNS, "abcd");
    char *body = mem_alloc(5000);
    memset(body, 'x', 4999);
    large.body = body;
    send_one(&world, 0, &bad_token);
    send_one(&world, 1, &large);
    the_token.is_missing = true;
    send_one(&world, 2, &good);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    check(&world.attempts[0], VERDICT_DEAD, FAILURE_dead_target);
    check(&world.attempts[1], VERDICT_REJECTED, FAILURE_too_large);
    check(&world.attempts[2], VERDICT_RETRY, FAILURE_unavailable);
    cr_assert_not(world.attempts[2].outcome.is_provider_fault);
    cr_assert_eq(transfer_started, 0);
    mem_free(body);
    world_end(&world);
}

Test(provider_apns, keys_that_are_none)
{
    struct world world;
    world_begin(&world, &apns_provider);
    write_file(&world, "no key");
    world.settings.apns_key_file = world.path;
    world.settings.apns_key_id = world.settings.apns_team_id = world.settings.apns_topic = "x";
    cr_assert_null(create(&world));
    cr_assert_not_null(strstr(world.error.data, "is no P-256 key in PEM\n"));
    world.settings.apns_key_file = "/no/such/file";
    cr_assert_null(create(&world));
    cr_assert_eq(strncmp(world.error.data, "apns_key_file: ", 15), 0);
    world_end(&world);
}

/* --- FCM --- */

static void fcm_begin(struct world *world)
{
    char *key = test_rsa_key();
    struct strbuf account;
    struct json_writer json;
    strbuf_init(&account, 0);
    json_writer_init(&json, &account);
    json_begin_object(&json);
    json_kv_string(&json, "project_id", "proj");
    json_kv_string(&json, "client_email", "a@p.iam");
    json_kv_string(&json, "private_key_id", "k1");
    json_kv_string(&json, "private_key", key);
    json_kv_string(&json, "token_uri", "https://oauth.example/token");
    json_end_object(&json);
    world_begin(world, &fcm_provider);
    write_file(world, account.data);
    strbuf_finish(&account);
    mem_free(key);
    cr_assert_not(world->provider->is_configured(&world->settings));
    world->settings.fcm_service_account_file = world->path;
    world->settings.fcm_url = "https://fcm.example";
    start(world);
}

#define TOKEN_ANSWER(name) "{\"access_token\":\"" name "\",\"expires_in\":3599}"

Test(provider_fcm, one_token_for_all_that_wait)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_FCM, "tok");
    fcm_begin(&world);
    for (size_t i = 0; i < 3; i++)
        send_one(&world, i, &notice);
    cr_assert_eq(transfer_started, 1);
    cr_assert_str_eq(transfers[0].url, "https://oauth.example/token");
    cr_assert_str_eq(transfers[0].headers.data, "content-type: application/x-www-form-urlencoded\n");
    cr_assert_eq(transfers[0].timeout_ms, 15000);
    answer(0, 200, TOKEN_ANSWER("ya29.a"));
    cr_assert_eq(transfer_started, 4);
    for (size_t i = 1; i < 4; i++) {
        cr_assert_str_eq(transfers[i].url, "https://fcm.example/v1/projects/proj/messages:send");
        cr_assert_str_eq(transfers[i].headers.data, "authorization: Bearer ya29.a\ncontent-type: application/json\n");
        cr_assert_eq(strncmp(transfers[i].body, "{\"message\":{\"token\":\"tok\"", 25), 0);
        answer(i, 200, "{\"name\":\"projects/proj/messages/1\"}");
        check(&world.attempts[i - 1], VERDICT_ACCEPTED, FAILURE_none);
        cr_assert_str_eq(world.attempts[i - 1].outcome.provider_id, "projects/proj/messages/1");
    }
    send_one(&world, 3, &notice); /* the token is kept */
    cr_assert_eq(transfer_started, 5);
    cr_assert_str_eq(transfers[4].url, "https://fcm.example/v1/projects/proj/messages:send");
    answer(4, 404, "{\"error\":{\"details\":[{\"errorCode\":\"UNREGISTERED\"}]}}");
    check(&world.attempts[3], VERDICT_DEAD, FAILURE_dead_target);
    world_end(&world);
}

Test(provider_fcm, refused_token_is_dropped_once)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_FCM, "tok");
    fcm_begin(&world);
    send_one(&world, 0, &notice);
    answer(0, 200, TOKEN_ANSWER("a"));
    send_one(&world, 1, &notice); /* transfers 1 and 2 have token a */
    answer(1, 401, "");
    check(&world.attempts[0], VERDICT_RETRY, FAILURE_unauthorized);
    send_one(&world, 2, &notice);
    cr_assert_str_eq(transfers[3].url, "https://oauth.example/token");
    answer(3, 200, TOKEN_ANSWER("b"));
    answer(2, 401, ""); /* about a: b is not dropped */
    send_one(&world, 3, &notice);
    cr_assert_eq(transfer_started, 6);
    cr_assert_not_null(strstr(transfers[4].headers.data, "Bearer b\n"));
    cr_assert_not_null(strstr(transfers[5].headers.data, "Bearer b\n"));
    answer(4, 200, "{}");
    answer(5, 200, "{}");
    world_end(&world);
}

Test(provider_fcm, no_token)
{
    static const struct {
        enum transfer_failure failure;
        int status;
        const char *body;
        enum failure expected;
    } rows[] = {{TRANSFER_OK, 400, "{\"error\":\"invalid_grant\"}", FAILURE_unauthorized},
                {TRANSFER_OK, 401, "", FAILURE_unauthorized},
                {TRANSFER_OK, 503, "", FAILURE_unavailable},
                {TRANSFER_OK, 429, "", FAILURE_unavailable},
                {TRANSFER_OK, 200, "{}", FAILURE_unavailable},
                {TRANSFER_OK, 200, TOKEN_ANSWER("a\\r\\nevil: b"), FAILURE_unavailable},
                {TRANSFER_CONNECT, 0, "", FAILURE_connect},
                {TRANSFER_TIMEOUT, 0, "", FAILURE_timeout},
                {TRANSFER_CUT, 0, "", FAILURE_cut}};
    struct world world;
    struct notice notice = notice_sample(CHANNEL_FCM, "tok");
    fcm_begin(&world);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct attempt *first = send_one(&world, 2 * i, &notice), *second = send_one(&world, 2 * i + 1, &notice);
        answer_with(
            i, (struct transfer_reply){.failure = rows[i].failure, .status = rows[i].status, .body = rows[i].body});
        uv_run(&world.loop, UV_RUN_NOWAIT);
        check(first, VERDICT_RETRY, rows[i].expected);
        check(second, VERDICT_RETRY, rows[i].expected);
        cr_assert_not(first->outcome.is_uncertain, "the message was not sent");
        cr_assert(first->outcome.is_provider_fault);
    }
    send_one(&world, 40, &notice); /* destroyed while it waits */
    world.provider->destroy(&world.state);
    cr_assert_eq(transfer_cancelled, 1);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    cr_assert_eq(world.attempts[40].done, 0);
    world_end(&world);
}

Test(provider_fcm, accounts_that_are_none)
{
    struct world world;
    world_begin(&world, &fcm_provider);
    world.settings.fcm_service_account_file = world.path;
    write_file(&world, "{\"project_id\":\"p\"}");
    cr_assert_null(create(&world));
    cr_assert_str_eq(world.error.data, "fcm_service_account_file: client_email is missing, or no text\n");
    write_file(&world, "{\"project_id\":\"p\",\"client_email\":\"e\",\"private_key\":\"x\",\"private_key_id\":\"k\","
                       "\"token_uri\":\"u\"}");
    cr_assert_null(create(&world));
    cr_assert_str_eq(world.error.data, "fcm_service_account_file: private_key is no RSA key in PEM\n");
    world_end(&world);
}

/* --- e-mail --- */

Test(provider_email, request_and_answers)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_EMAIL, "ann@x.example");
    world_begin(&world, &email_provider);
    cr_assert_not(world.provider->is_configured(&world.settings));
    world.settings.email_url = "http://mx";
    cr_assert_null(create(&world));
    cr_assert_str_eq(world.error.data, "email_url: must begin with smtp:// or smtps://\n"
                                       "email_from: must be an address, or \"Name <address>\"\n");
    world.settings.email_url = "smtp://mx:587";
    world.settings.email_from = "Desk <desk@ride.example>";
    world.settings.email_user = "u";
    world.settings.email_password = "p";
    start(&world);
    struct attempt *attempt = send_one(&world, 0, &notice);
    cr_assert(transfers[0].is_mail && transfers[0].requires_tls);
    cr_assert_str_eq(transfers[0].url, "smtp://mx:587");
    cr_assert_str_eq(transfers[0].mail_from, "desk@ride.example");
    cr_assert_str_eq(transfers[0].mail_to, "ann@x.example");
    cr_assert_str_eq(transfers[0].user, "u");
    cr_assert_not_null(strstr(transfers[0].body, "\r\nSubject: New ride\r\n"));
    answer(0, 250, "");
    check(attempt, VERDICT_ACCEPTED, FAILURE_none);
    cr_assert_str_eq(attempt->outcome.provider_id, "<" SAMPLE_UUID "@ride.example>");
    attempt = send_one(&world, 1, &notice);
    answer_with(1, (struct transfer_reply){.failure = TRANSFER_OK, .status = 550, .problem = "RCPT failed: 550"});
    check(attempt, VERDICT_DEAD, FAILURE_dead_target);
    attempt = send_one(&world, 2, &notice);
    answer_with(2, (struct transfer_reply){.failure = TRANSFER_OK, .status = 550, .problem = "MAIL failed: 550"});
    check(attempt, VERDICT_REJECTED, FAILURE_bad_request);
    attempt = send_one(&world, 3, &notice);
    answer_with(3, (struct transfer_reply){.failure = TRANSFER_CONNECT, .status = 535, .problem = "Login denied"});
    check(attempt, VERDICT_RETRY, FAILURE_unauthorized);
    world_end(&world);
}

Test(provider_email, what_is_never_sent)
{
    struct world world;
    world_begin(&world, &email_provider);
    world.settings.email_url = "smtps://mx:465";
    world.settings.email_from = "desk@ride.example";
    start(&world);
    struct notice bad_address = notice_sample(CHANNEL_EMAIL, "ann@x.example\r\nBcc: b@c");
    struct notice bad_event = notice_sample(CHANNEL_EMAIL, "ann@x.example");
    bad_event.event_id = "a\r\nBcc: b@c";
    send_one(&world, 0, &bad_address);
    send_one(&world, 1, &bad_event);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    check(&world.attempts[0], VERDICT_DEAD, FAILURE_dead_target);
    check(&world.attempts[1], VERDICT_REJECTED, FAILURE_bad_request);
    cr_assert_eq(transfer_started, 0);
    world_end(&world);
}

/* --- webhook --- */

Test(provider_webhook, request_and_answers)
{
    static const struct {
        int status;
        enum verdict verdict;
        enum failure failure;
    } rows[] = {{204, VERDICT_ACCEPTED, FAILURE_none},         {410, VERDICT_REJECTED, FAILURE_bad_request},
                {401, VERDICT_REJECTED, FAILURE_unauthorized}, {404, VERDICT_REJECTED, FAILURE_bad_request},
                {429, VERDICT_RETRY, FAILURE_rate_limited},    {500, VERDICT_RETRY, FAILURE_unavailable}};
    struct world world;
    struct notice notice = notice_sample(CHANNEL_WEBHOOK, "");
    world_begin(&world, &webhook_provider);
    cr_assert_not(world.provider->is_configured(&world.settings));
    world.settings.webhook_url = "http://hook.example/x";
    world.settings.webhook_secret = "short";
    cr_assert_null(create(&world));
    cr_assert_str_eq(world.error.data, "webhook_url: must begin with https://\n"
                                       "webhook_secret: must have at least 24 characters\n");
    world.settings.allow_private_targets = true;
    world.settings.webhook_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    start(&world);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct attempt *attempt = send_one(&world, i, &notice);
        cr_assert(transfers[i].is_foreign);
        cr_assert_str_eq(transfers[i].url, "http://hook.example/x");
        cr_assert_not_null(strstr(transfers[i].headers.data, "\nwebhook-id: " SAMPLE_UUID "\n"));
        cr_assert_not_null(strstr(transfers[i].headers.data, "\nwebhook-signature: v1,"));
        answer(i, rows[i].status, "");
        check(attempt, rows[i].verdict, rows[i].failure);
    }
    struct attempt *attempt = send_one(&world, 10, &notice);
    fail_with(ARRAY_LEN(rows), TRANSFER_REFUSED);
    check(attempt, VERDICT_REJECTED, FAILURE_refused_address);
    world_end(&world);
}
