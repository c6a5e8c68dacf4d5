#include <criterion/criterion.h>

#include "base/json_writer.h"
#include "provider_world.h"
#include "test_keys.h"

/* --- APNs --- */

static void apns_begin(struct world *world)
{
    char *key = test_ec_key();
    world_begin(world, &apns_provider);
    cr_assert_not(world->provider->is_configured(&world->settings));
    world_write_file(world, key);
    mem_free(key);
    world->settings.apns_key_file = world->path;
    cr_assert_null(world_create(world));
    cr_assert_str_eq(world->error.data, "apns_key_id: is needed for APNs\napns_team_id: is needed for APNs\n"
                                        "apns_topic: is needed for APNs\n");
    world->settings.apns_key_id = "KEY";
    world->settings.apns_team_id = "TEAM";
    world->settings.apns_topic = "com.example.app";
    world->settings.apns_url = "https://apns.example";
    world_start(world);
}

Test(provider_apns, request_and_answers)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_APNS, "abcd0123");
    apns_begin(&world);
    struct attempt *attempt = world_send(&world, 0, &notice);
    char authorization[1024];
    snprintf(authorization, sizeof(authorization), "\nauthorization: bearer %s\n", the_token.token);
    cr_assert_str_eq(transfers[0].url, "https://apns.example/3/device/abcd0123");
    cr_assert(transfers[0].is_http2_only);
    cr_assert_not_null(strstr(transfers[0].headers.data, authorization));
    cr_assert_not_null(strstr(transfers[0].headers.data, "\napns-id: " SAMPLE_UUID "\n"));
    transfers[0].answer_header = SAMPLE_UUID;
    answer_transfer(0, 200, "");
    check_attempt(attempt, VERDICT_ACCEPTED, FAILURE_none);
    cr_assert_str_eq(attempt->outcome.provider_id, SAMPLE_UUID);
    attempt = world_send(&world, 1, &notice);
    answer_transfer(1, 410, "{\"reason\":\"Unregistered\",\"timestamp\":1454402113000}");
    check_attempt(attempt, VERDICT_DEAD, FAILURE_dead_target);
    cr_assert_eq(attempt->outcome.dead_since_ms, 1454402113000);
    cr_assert_eq(the_token.refused, 0);
    attempt = world_send(&world, 2, &notice);
    transfers[2].retry_after_ms = 9000;
    answer_transfer(2, 403, "{\"reason\":\"ExpiredProviderToken\"}");
    check_attempt(attempt, VERDICT_RETRY, FAILURE_unauthorized);
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
    world_send(&world, 0, &bad_token);
    world_send(&world, 1, &large);
    the_token.is_missing = true;
    world_send(&world, 2, &good);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    check_attempt(&world.attempts[0], VERDICT_DEAD, FAILURE_dead_target);
    check_attempt(&world.attempts[1], VERDICT_REJECTED, FAILURE_too_large);
    check_attempt(&world.attempts[2], VERDICT_RETRY, FAILURE_unavailable);
    cr_assert_not(world.attempts[2].outcome.is_provider_fault);
    cr_assert_eq(transfer_started, 0);
    mem_free(body);
    world_end(&world);
}

Test(provider_apns, keys_that_are_none)
{
    struct world world;
    world_begin(&world, &apns_provider);
    world_write_file(&world, "no key");
    world.settings.apns_key_file = world.path;
    world.settings.apns_key_id = world.settings.apns_team_id = world.settings.apns_topic = "x";
    cr_assert_null(world_create(&world));
    cr_assert_not_null(strstr(world.error.data, "is no P-256 key in PEM\n"));
    world.settings.apns_key_file = "/no/such/file";
    cr_assert_null(world_create(&world));
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
    world_write_file(world, account.data);
    strbuf_finish(&account);
    mem_free(key);
    cr_assert_not(world->provider->is_configured(&world->settings));
    world->settings.fcm_service_account_file = world->path;
    world->settings.fcm_url = "https://fcm.example";
    world_start(world);
}

#define TOKEN_ANSWER(name) "{\"access_token\":\"" name "\",\"expires_in\":3599}"

Test(provider_fcm, one_token_for_all_that_wait)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_FCM, "tok");
    fcm_begin(&world);
    for (size_t i = 0; i < 3; i++)
        world_send(&world, i, &notice);
    cr_assert_eq(transfer_started, 1);
    cr_assert_str_eq(transfers[0].url, "https://oauth.example/token");
    cr_assert_str_eq(transfers[0].headers.data, "content-type: application/x-www-form-urlencoded\n");
    cr_assert_eq(transfers[0].timeout_ms, 15000);
    answer_transfer(0, 200, TOKEN_ANSWER("ya29.a"));
    cr_assert_eq(transfer_started, 4);
    for (size_t i = 1; i < 4; i++) {
        cr_assert_str_eq(transfers[i].url, "https://fcm.example/v1/projects/proj/messages:send");
        cr_assert_str_eq(transfers[i].headers.data, "authorization: Bearer ya29.a\ncontent-type: application/json\n");
        cr_assert_eq(strncmp(transfers[i].body, "{\"message\":{\"token\":\"tok\"", 25), 0);
        answer_transfer(i, 200, "{\"name\":\"projects/proj/messages/1\"}");
        check_attempt(&world.attempts[i - 1], VERDICT_ACCEPTED, FAILURE_none);
        cr_assert_str_eq(world.attempts[i - 1].outcome.provider_id, "projects/proj/messages/1");
    }
    world_send(&world, 3, &notice); /* the token is kept */
    cr_assert_eq(transfer_started, 5);
    cr_assert_str_eq(transfers[4].url, "https://fcm.example/v1/projects/proj/messages:send");
    answer_transfer(4, 404, "{\"error\":{\"details\":[{\"errorCode\":\"UNREGISTERED\"}]}}");
    check_attempt(&world.attempts[3], VERDICT_DEAD, FAILURE_dead_target);
    world_end(&world);
}

Test(provider_fcm, refused_token_is_dropped_once)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_FCM, "tok");
    fcm_begin(&world);
    world_send(&world, 0, &notice);
    answer_transfer(0, 200, TOKEN_ANSWER("a"));
    world_send(&world, 1, &notice); /* transfers 1 and 2 have token a */
    answer_transfer(1, 401, "");
    check_attempt(&world.attempts[0], VERDICT_RETRY, FAILURE_unauthorized);
    world_send(&world, 2, &notice);
    cr_assert_str_eq(transfers[3].url, "https://oauth.example/token");
    answer_transfer(3, 200, TOKEN_ANSWER("b"));
    answer_transfer(2, 401, ""); /* about a: b is not dropped */
    world_send(&world, 3, &notice);
    cr_assert_eq(transfer_started, 6);
    cr_assert_not_null(strstr(transfers[4].headers.data, "Bearer b\n"));
    cr_assert_not_null(strstr(transfers[5].headers.data, "Bearer b\n"));
    answer_transfer(4, 200, "{}");
    answer_transfer(5, 200, "{}");
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
        struct attempt *first = world_send(&world, 2 * i, &notice), *second = world_send(&world, 2 * i + 1, &notice);
        answer_transfer_with(
            i, (struct transfer_reply){.failure = rows[i].failure, .status = rows[i].status, .body = rows[i].body});
        uv_run(&world.loop, UV_RUN_NOWAIT);
        check_attempt(first, VERDICT_RETRY, rows[i].expected);
        check_attempt(second, VERDICT_RETRY, rows[i].expected);
        cr_assert_not(first->outcome.is_uncertain, "the message was not sent");
        cr_assert(first->outcome.is_provider_fault);
    }
    world_send(&world, 40, &notice); /* destroyed while it waits */
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
    world_write_file(&world, "{\"project_id\":\"p\"}");
    cr_assert_null(world_create(&world));
    cr_assert_str_eq(world.error.data, "fcm_service_account_file: client_email is missing, or no text\n");
    world_write_file(&world,
                     "{\"project_id\":\"p\",\"client_email\":\"e\",\"private_key\":\"x\",\"private_key_id\":\"k\","
                     "\"token_uri\":\"u\"}");
    cr_assert_null(world_create(&world));
    cr_assert_str_eq(world.error.data, "fcm_service_account_file: private_key is no RSA key in PEM\n");
    world_end(&world);
}
