#include <criterion/criterion.h>

#include "base/clock.h"
#include "transfer_world.h"

#define GREETING                                                                                                       \
    {                                                                                                                  \
        "", "220 mx\r\n", false, false                                                                                 \
    }
#define EHLO                                                                                                           \
    {                                                                                                                  \
        "EHLO", "250-mx\r\n250 8BITMIME\r\n", false, false                                                             \
    }
#define LOGIN_EHLO                                                                                                     \
    {                                                                                                                  \
        "EHLO", "250-mx\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n", false, false                                            \
    }
#define MAIL                                                                                                           \
    {                                                                                                                  \
        "MAIL FROM:<desk@ride.example>", "250 ok\r\n", false, false                                                    \
    }
#define RCPT                                                                                                           \
    {                                                                                                                  \
        "RCPT TO:<ann@x.example>", "250 ok\r\n", false, false                                                          \
    }
#define DATA                                                                                                           \
    {                                                                                                                  \
        "DATA", "354 go on\r\n", false, false                                                                          \
    }
#define BODY                                                                                                           \
    {                                                                                                                  \
        "\r\n.\r\n", "250 taken\r\n", false, false                                                                     \
    }

static void begin_mail(struct world *world, struct transfer_mail mail, uint32_t timeout_ms)
{
    mail.from = "desk@ride.example";
    mail.to = "ann@x.example";
    struct transfer_request request = {.url = world->url,
                                       .body = "Subject: x\r\n\r\nline\r\n.dot\r\n",
                                       .body_length = 26,
                                       .timeout_ms = timeout_ms,
                                       .mail = &mail};
    world_start_request(world, &request);
}

static const struct transfer_mail plain_mail = {.user = "", .password = ""};

Test(transfer_mail, taken)
{
    static const struct peer_step steps[] = {GREETING, EHLO, MAIL, RCPT, DATA, BODY, MAIL, RCPT, DATA, BODY};
    struct world world;
    world_begin(&world, steps, ARRAY_LEN(steps), "smtp");
    for (int i = 0; i < 2; i++) {
        begin_mail(&world, plain_mail, TIMEOUT_MS);
        world_run(&world);
        world_check(&world, TRANSFER_OK, 250);
    }
    cr_assert_eq(http_peer_connections(world.peer), 1, "it is kept");
    cr_assert_not_null(strstr(http_peer_received(world.peer)->data, "\r\nline\r\n..dot\r\n.\r\n"));
    world_end(&world);
}

Test(transfer_mail, log_in)
{
    /* AUTH PLAIN with \0user\0pass, never the challenge that libcurl likes better */
    static const struct peer_step steps[] = {GREETING,
                                             LOGIN_EHLO,
                                             {"AUTH PLAIN", "334 \r\n", false, false},
                                             {"AHVzZXIAcGFzcw==", "235 ok\r\n", false, false},
                                             MAIL,
                                             RCPT,
                                             DATA,
                                             BODY};
    struct world world;
    world_begin(&world, steps, ARRAY_LEN(steps), "smtp");
    begin_mail(&world, (struct transfer_mail){.user = "user", .password = "pass"}, TIMEOUT_MS);
    world_run(&world);
    world_check(&world, TRANSFER_OK, 250);
    world_end(&world);
}

static void check_mail(const struct peer_step *steps, size_t count, struct transfer_mail mail, uint32_t timeout_ms,
                       enum transfer_failure failure, int status, const char *problem)
{
    struct world world;
    world_begin(&world, steps, count, "smtp");
    begin_mail(&world, mail, timeout_ms);
    world_run(&world);
    cr_assert_eq(world.failure, failure, "%d: %s", world.failure, world.problem.data);
    cr_assert_eq(world.status, status, "%d: %s", world.status, world.problem.data);
    if (problem != NULL)
        cr_assert_eq(strncmp(world.problem.data, problem, strlen(problem)), 0, "%s", world.problem.data);
    world_end(&world);
}
#define CHECK_MAIL(steps, ...) check_mail(steps, ARRAY_LEN(steps), __VA_ARGS__)

Test(transfer_mail, refused_at_every_stage)
{
    static const struct peer_step quit = {"QUIT", "221 bye\r\n", true, false};
    const struct peer_step greeting[] = {{"", "554 no\r\n", false, false}, quit};
    const struct peer_step login[] = {GREETING, LOGIN_EHLO, {"AUTH", "535 no\r\n", false, false}, quit};
    const struct peer_step from[] = {GREETING, EHLO, {"MAIL", "550 no\r\n", false, false}, quit};
    const struct peer_step to[] = {GREETING, EHLO, MAIL, {"RCPT", "550 nobody\r\n", false, false}, quit};
    const struct peer_step later[] = {GREETING, EHLO, MAIL, {"RCPT", "450 full\r\n", false, false}, quit};
    const struct peer_step data[] = {GREETING, EHLO, MAIL, RCPT, {"DATA", "451 no\r\n", false, false}, quit};
    const struct peer_step body[] = {GREETING, EHLO, MAIL, RCPT, DATA, {"\r\n.\r\n", "554 spam\r\n", false, false},
                                     quit};
    const struct peer_step no_tls[] = {GREETING, EHLO, quit};
    CHECK_MAIL(greeting, plain_mail, TIMEOUT_MS, TRANSFER_CONNECT, 554, NULL);
    CHECK_MAIL(login, ((struct transfer_mail){.user = "u", .password = "p"}), TIMEOUT_MS, TRANSFER_CONNECT, 535, NULL);
    CHECK_MAIL(from, plain_mail, TIMEOUT_MS, TRANSFER_OK, 550, "MAIL failed");
    CHECK_MAIL(to, plain_mail, TIMEOUT_MS, TRANSFER_OK, 550, "RCPT failed");
    CHECK_MAIL(later, plain_mail, TIMEOUT_MS, TRANSFER_OK, 450, "RCPT failed");
    CHECK_MAIL(data, plain_mail, TIMEOUT_MS, TRANSFER_OK, 451, "DATA failed");
    CHECK_MAIL(body, plain_mail, TIMEOUT_MS, TRANSFER_OK, 554, NULL);
    CHECK_MAIL(no_tls, ((struct transfer_mail){.user = "", .password = "", .requires_tls = true}), TIMEOUT_MS,
               TRANSFER_CONNECT, 250, NULL);
}

Test(transfer_mail, cut_and_silent)
{
    const struct peer_step cut_before[] = {GREETING, EHLO, MAIL, {"RCPT", NULL, true, false}};
    const struct peer_step cut_after[] = {GREETING, EHLO, MAIL, RCPT, DATA, {"\r\n.\r\n", NULL, true, false}};
    const struct peer_step silent_before[] = {GREETING, EHLO, MAIL, {"RCPT", NULL, false, false}};
    const struct peer_step silent_after[] = {GREETING, EHLO, MAIL, RCPT, DATA, {"\r\n.\r\n", NULL, false, false}};
    CHECK_MAIL(cut_before, plain_mail, TIMEOUT_MS, TRANSFER_CONNECT, 250, NULL);
    CHECK_MAIL(cut_after, plain_mail, TIMEOUT_MS, TRANSFER_CUT, 354, NULL);
    CHECK_MAIL(silent_before, plain_mail, 1500, TRANSFER_CONNECT, 250, NULL);
    CHECK_MAIL(silent_after, plain_mail, 1500, TRANSFER_TIMEOUT, 354, NULL);
}

/* A server that takes its time after the message holds up nobody else. */
Test(transfer_mail, the_loop_goes_on)
{
    static const struct peer_step steps[] = {GREETING, EHLO, MAIL, RCPT, DATA, {"\r\n.\r\n", NULL, false, false}};
    static const struct peer_step web[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, ARRAY_LEN(steps), "smtp");
    struct http_peer *other = http_peer_create(&world.loop, web, 1);
    begin_mail(&world, plain_mail, TIMEOUT_MS);
    while (strstr(http_peer_received(world.peer)->data, "\r\n.\r\n") == NULL)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%d/", http_peer_port(other));
    for (int i = 0; i < 50; i++)
        world_start(&world);
    while (world.running > 1)
        world_run_on(&world);
    cr_assert_eq(world.done, 50);
    world_check(&world, TRANSFER_OK, 200);
    uint64_t before = uv_hrtime();
    transfer_client_destroy(&world.client); /* nor does it hold up the end */
    cr_assert_lt((uv_hrtime() - before) / 1000000, 30000);
    http_peer_destroy(&other);
    world_end(&world);
}

Test(transfer_mail, cancel_and_destroy_at_every_stage)
{
    static const struct peer_step steps[] = {GREETING, EHLO, MAIL, RCPT, DATA, BODY};
    for (int turns = 0; turns < 60; turns++) {
        struct world world;
        world_begin(&world, steps, ARRAY_LEN(steps), "smtp");
        struct transfer_mail mail = plain_mail;
        mail.from = "desk@ride.example";
        mail.to = "ann@x.example";
        struct transfer_request request = {
            .url = world.url, .body = "x\r\n", .body_length = 3, .timeout_ms = TIMEOUT_MS, .mail = &mail};
        struct transfer *transfers[4];
        for (int i = 0; i < 4; i++)
            transfers[i] = world_start_request(&world, &request);
        for (int i = 0; i < turns * 20 && world.done == 0; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        unsigned done = world.done;
        if (done == 0 && turns % 2 == 0)
            for (int i = 0; i < 4; i++)
                transfer_cancel(&transfers[i]);
        transfer_client_destroy(&world.client);
        for (int i = 0; i < 5; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        cr_assert_eq(world.done, done);
        world_end(&world);
    }
}

/* The third mail's time is over while it waits for one of two threads. */
Test(transfer_mail, nothing_begins_too_late)
{
    static const struct peer_step steps[] = {GREETING, EHLO, MAIL, RCPT, DATA, {"\r\n.\r\n", NULL, false, false}};
    struct world world;
    world_begin(&world, steps, ARRAY_LEN(steps), "smtp");
    struct transfer_mail mail = plain_mail;
    mail.from = "desk@ride.example";
    mail.to = "ann@x.example";
    struct transfer_request request = {
        .url = world.url, .body = "x\r\n", .body_length = 3, .timeout_ms = 3000, .mail = &mail};
    for (int i = 0; i < 2; i++)
        world_start_request(&world, &request);
    request.starts_until_ms = clock_wall_ms() + 100;
    world_start_request(&world, &request);
    world_run_on(&world);
    world_check(&world, TRANSFER_LATE, 0);
    world_run(&world);
    cr_assert_eq(world.counts[TRANSFER_TIMEOUT], 2);
    world_end(&world);
}

Test(transfer_mail, addresses_that_are_commands)
{
    static const struct peer_step steps[] = {GREETING, EHLO, MAIL, RCPT, DATA, BODY};
    struct world world;
    world_begin(&world, steps, ARRAY_LEN(steps), "smtp");
    struct transfer_mail mail = {.from = "desk@ride.example", .to = "a@b>\r\nRCPT TO:<c@d", .user = "", .password = ""};
    struct transfer_request request = {
        .url = world.url, .body = "x\r\n", .body_length = 3, .timeout_ms = TIMEOUT_MS, .mail = &mail};
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_REFUSED, 0);
    cr_assert_eq(http_peer_connections(world.peer), 0);
    world_end(&world);
}
