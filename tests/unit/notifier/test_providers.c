#include <criterion/criterion.h>

#include "provider_world.h"

/* --- drop --- */

Test(provider_drop, accepts_later)
{
    struct world world;
    struct notice notice = notice_sample(CHANNEL_FCM, "t");
    world_begin(&world, &drop_provider);
    world_start(&world);
    for (size_t i = 0; i < 3; i++)
        world_send(&world, i, &notice);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < 3; i++)
        check_attempt(&world.attempts[i], VERDICT_ACCEPTED, FAILURE_none);
    world_send(&world, 3, &notice); /* gets no word any more */
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
    world_start(&world);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct attempt *attempt = world_send(&world, i, &notice);
        fail_transfer(i, rows[i].failure);
        check_attempt(attempt, VERDICT_RETRY, rows[i].expected);
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
    cr_assert_null(world_create(&world));
    cr_assert_str_eq(world.error.data, "sms_auth_token: is needed for SMS\n"
                                       "sms_from: it or sms_messaging_service is needed for SMS\n");
    world.settings.sms_auth_token = "secret";
    world.settings.sms_messaging_service = "MG1";
    world.settings.sms_url = "https://sms.example";
    world_start(&world);
    struct attempt *attempt = world_send(&world, 0, &notice);
    cr_assert_str_eq(transfers[0].url, "https://sms.example/2010-04-01/Accounts/AC1/Messages.json");
    cr_assert_str_eq(transfers[0].method, "POST");
    cr_assert_str_eq(transfers[0].user, "AC1");
    cr_assert_str_eq(transfers[0].password, "secret");
    cr_assert_str_eq(transfers[0].headers.data, "content-type: application/x-www-form-urlencoded\n");
    cr_assert_eq(transfers[0].timeout_ms, 15000);
    cr_assert_not(transfers[0].is_foreign);
    cr_assert_not_null(
        strstr(transfers[0].body, "To=%2B41791234567&MessagingServiceSid=MG1&Body=Pick-up+at+%22Gare%22"));
    answer_transfer(0, 201, "{\"sid\":\"SM1\"}");
    check_attempt(attempt, VERDICT_ACCEPTED, FAILURE_none);
    cr_assert_str_eq(attempt->outcome.provider_id, "SM1");
    world_send(&world, 1, &notice); /* destroyed under way */
    world.provider->destroy(&world.state);
    cr_assert_eq(transfer_cancelled, 1);
    cr_assert_eq(world.attempts[1].done, 0);
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
    cr_assert_null(world_create(&world));
    cr_assert_str_eq(world.error.data, "email_url: must begin with smtp:// or smtps://\n"
                                       "email_from: must be an address, or \"Name <address>\"\n");
    world.settings.email_url = "smtp://mx:587";
    world.settings.email_from = "Desk <desk@ride.example>";
    world.settings.email_user = "u";
    world.settings.email_password = "p";
    world_start(&world);
    struct attempt *attempt = world_send(&world, 0, &notice);
    cr_assert(transfers[0].is_mail && transfers[0].requires_tls);
    cr_assert_str_eq(transfers[0].url, "smtp://mx:587");
    cr_assert_str_eq(transfers[0].mail_from, "desk@ride.example");
    cr_assert_str_eq(transfers[0].mail_to, "ann@x.example");
    cr_assert_str_eq(transfers[0].user, "u");
    cr_assert_not_null(strstr(transfers[0].body, "\r\nSubject: New ride\r\n"));
    answer_transfer(0, 250, "");
    check_attempt(attempt, VERDICT_ACCEPTED, FAILURE_none);
    cr_assert_str_eq(attempt->outcome.provider_id, "<" SAMPLE_UUID "@ride.example>");
    attempt = world_send(&world, 1, &notice);
    answer_transfer_with(1,
                         (struct transfer_reply){.failure = TRANSFER_OK, .status = 550, .problem = "RCPT failed: 550"});
    check_attempt(attempt, VERDICT_DEAD, FAILURE_dead_target);
    attempt = world_send(&world, 2, &notice);
    answer_transfer_with(2,
                         (struct transfer_reply){.failure = TRANSFER_OK, .status = 550, .problem = "MAIL failed: 550"});
    check_attempt(attempt, VERDICT_REJECTED, FAILURE_bad_request);
    attempt = world_send(&world, 3, &notice);
    answer_transfer_with(
        3, (struct transfer_reply){.failure = TRANSFER_CONNECT, .status = 535, .problem = "Login denied"});
    check_attempt(attempt, VERDICT_RETRY, FAILURE_unauthorized);
    world_end(&world);
}

Test(provider_email, what_is_never_sent)
{
    struct world world;
    world_begin(&world, &email_provider);
    world.settings.email_url = "smtps://mx:465";
    world.settings.email_from = "desk@ride.example";
    world_start(&world);
    struct notice bad_address = notice_sample(CHANNEL_EMAIL, "ann@x.example\r\nBcc: b@c");
    struct notice bad_event = notice_sample(CHANNEL_EMAIL, "ann@x.example");
    bad_event.event_id = "a\r\nBcc: b@c";
    world_send(&world, 0, &bad_address);
    world_send(&world, 1, &bad_event);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    check_attempt(&world.attempts[0], VERDICT_DEAD, FAILURE_dead_target);
    check_attempt(&world.attempts[1], VERDICT_REJECTED, FAILURE_bad_request);
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
    cr_assert_null(world_create(&world));
    cr_assert_str_eq(world.error.data, "webhook_url: must begin with https://\n"
                                       "webhook_secret: must have at least 24 characters\n");
    world.settings.allow_private_targets = true;
    world.settings.webhook_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    world_start(&world);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct attempt *attempt = world_send(&world, i, &notice);
        cr_assert(transfers[i].is_foreign);
        cr_assert_str_eq(transfers[i].url, "http://hook.example/x");
        cr_assert_not_null(strstr(transfers[i].headers.data, "\nwebhook-id: " SAMPLE_UUID "\n"));
        cr_assert_not_null(strstr(transfers[i].headers.data, "\nwebhook-signature: v1,"));
        answer_transfer(i, rows[i].status, "");
        check_attempt(attempt, rows[i].verdict, rows[i].failure);
    }
    struct attempt *attempt = world_send(&world, 10, &notice);
    fail_transfer(ARRAY_LEN(rows), TRANSFER_REFUSED);
    check_attempt(attempt, VERDICT_REJECTED, FAILURE_refused_address);
    world_end(&world);
}
