#include <criterion/criterion.h>

#include "base/clock.h"
#include "transfer_world.h"

Test(transfer, answer)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    world_start(&world);
    cr_assert_eq(transfer_count(world.client), 1);
    world_run(&world);
    world_check(&world, TRANSFER_OK, 200);
    cr_assert_eq(transfer_count(world.client), 0);
    cr_assert_str_eq(world.body.data, "ok");
    cr_assert_str_eq(world.header, "abc");
    const char *received = http_peer_received(world.peer)->data;
    cr_assert_eq(strncmp(received, "POST /path HTTP/1.1\r\n", 21), 0);
    cr_assert_not_null(strstr(received, "\r\ncontent-type: text/plain\r\n"));
    cr_assert_not_null(strstr(received, "\r\nx-mine: 1\r\n"));
    cr_assert_not_null(strstr(received, "\r\nContent-Length: 5\r\n"));
    cr_assert_null(strstr(received, "Authorization"));
    world_end(&world);
}

Test(transfer, connections_are_kept_and_limited)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    for (int i = 0; i < 20; i++)
        world_start(&world);
    world_run(&world);
    cr_assert_eq(world.done, 20);
    for (int i = 0; i < 5; i++) {
        world_start(&world);
        world_run(&world);
    }
    world_check(&world, TRANSFER_OK, 200);
    cr_assert_leq(http_peer_connections(world.peer), 2);
    world_end(&world);
}

Test(transfer, other_method_and_basic_authentication)
{
    static const struct peer_step steps[] = {{"\r\n\r\n", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    request.method = "PUT";
    request.body_length = 0;
    request.basic_user = "AC1";
    request.basic_password = "se:cret";
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_OK, 200);
    cr_assert_eq(strncmp(http_peer_received(world.peer)->data, "PUT /path", 9), 0);
    cr_assert_not_null(strstr(http_peer_received(world.peer)->data, "\r\nAuthorization: Basic QUMxOnNlOmNyZXQ=\r\n"));
    world_start(&world); /* the next one, with the same handle, has none */
    world_run(&world);
    const char *second = strstr(http_peer_received(world.peer)->data, "POST /path");
    cr_assert_not_null(second);
    cr_assert_null(strstr(second, "Authorization"));
    world_end(&world);
}

Test(transfer, redirects_are_answers)
{
    static const struct peer_step steps[] = {
        {"hello", "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    world_start(&world);
    world_run(&world);
    world_check(&world, TRANSFER_OK, 307);
    world_end(&world);
}

Test(transfer, retry_after)
{
    static const struct peer_step steps[] = {
        {"hello", "HTTP/1.1 503 x\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", false, false},
        {"hello", "HTTP/1.1 503 x\r\nRetry-After: 9999999\r\nContent-Length: 0\r\n\r\n", false, false},
        {"hello", "HTTP/1.1 503 x\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", false, false},
        {"hello", "HTTP/1.1 503 x\r\nRetry-After: Tue, 25 Nov 2003 13:59:00 GMT\r\nContent-Length: 0\r\n\r\n", false,
         false},
        {"hello", "HTTP/1.1 503 x\r\nRetry-After: Tue, 25 Nov 2055 13:59:00 GMT\r\nContent-Length: 0\r\n\r\n", false,
         false},
        {"hello", "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", false, false},
    };
    static const uint64_t expected_ms[] = {120000, 86400000, 0, 0, 86400000, 0};
    struct world world;
    world_begin(&world, steps, ARRAY_LEN(steps), "http");
    for (size_t i = 0; i < ARRAY_LEN(expected_ms); i++) {
        world_start(&world);
        world_run(&world);
        world_check(&world, TRANSFER_OK, 503);
        cr_assert_eq(world.retry_after_ms, expected_ms[i], "step %zu: %llu", i,
                     (unsigned long long)world.retry_after_ms);
    }
    cr_assert_eq(http_peer_connections(world.peer), 1);
    world_end(&world);
}

Test(transfer, long_answers_are_cut_off)
{
    static char answer[200000] = "HTTP/1.1 400 Bad\r\nX-Id: abc\r\nContent-Length: 100000000\r\n\r\n";
    static const struct peer_step steps[] = {{"hello", answer, false, false}};
    struct world world;
    size_t head = strlen(answer);
    memset(answer + head, 'z', sizeof(answer) - head - 1);
    world_begin(&world, steps, 1, "http");
    world_start(&world);
    world_run(&world);
    world_check(&world, TRANSFER_OK, 400);
    cr_assert_eq(world.body.length, TRANSFER_BODY_MAX);
    cr_assert_str_eq(world.header, "abc");
    world_end(&world);
}

/* It had the whole request: whether it took it nobody knows. */
Test(transfer, cut_connections)
{
    static const struct peer_step ends[] = {{"hello", NULL, true, false},
                                            {"hello", NULL, false, true},
                                            {"hello", "HTTP/1.1 2", true, false},
                                            {"hello", "no http\r\n\r\n", true, false}};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct world world;
        world_begin(&world, &ends[i], 1, "http");
        world_start(&world);
        world_run(&world);
        world_check(&world, TRANSFER_CUT, 0);
        cr_assert_neq(world.problem.length, 0);
        cr_assert_eq(world.done, 1);
        world_end(&world);
    }
}

/* On a kept connection libcurl would send it again by itself; only the ledger may decide that. */
Test(transfer, nothing_is_sent_twice)
{
    for (int resets = 0; resets < 2; resets++) {
        const struct peer_step steps[] = {{"hello", ANSWER, false, false}, {"hello", NULL, resets == 0, resets == 1}};
        struct world world;
        world_begin(&world, steps, 2, "http");
        world_start(&world);
        world_run(&world);
        world_check(&world, TRANSFER_OK, 200);
        world_start(&world);
        world_run(&world);
        world_check(&world, TRANSFER_CUT, 0);
        const char *second = strstr(strstr(http_peer_received(world.peer)->data, "hello") + 1, "hello");
        cr_assert_not_null(second);
        cr_assert_null(strstr(second + 1, "hello"));
        world_end(&world);
    }
}

/* The peer ended an idle connection: the next request goes over a new one, unseen. */
Test(transfer, idle_connections_may_end)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, true, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    for (int i = 0; i < 3; i++) {
        world_start(&world);
        world_run(&world);
        world_check(&world, TRANSFER_OK, 200);
    }
    cr_assert_eq(http_peer_connections(world.peer), 3);
    world_end(&world);
}

Test(transfer, no_answer_in_time)
{
    static const struct peer_step steps[] = {{"hello", NULL, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    request.timeout_ms = 1000; /* time enough to connect */
    uint64_t before = uv_hrtime();
    world_start_request(&world, &request);
    world_run(&world);
    uint64_t took_ms = (uv_hrtime() - before) / 1000000;
    world_check(&world, TRANSFER_TIMEOUT, 0);
    cr_assert_geq(took_ms, 999);
    world_end(&world);
}

/* Those that waited for a connection have not been sent. */
Test(transfer, waiting_ends_in_time_too)
{
    static const struct peer_step steps[] = {{"hello", NULL, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    for (int i = 0; i < 4; i++) {
        request.timeout_ms = i < 2 ? 2000 : 300; /* the first two get the connections */
        world_start_request(&world, &request);
    }
    world_run(&world);
    cr_assert_eq(world.done, 4);
    cr_assert_eq(world.counts[TRANSFER_TIMEOUT], 2);
    cr_assert_eq(world.counts[TRANSFER_CONNECT], 2);
    cr_assert_eq(http_peer_connections(world.peer), 2);
    world_end(&world);
}

/* What still waits for a connection when its time to start is over is never sent; what has begun goes on. */
Test(transfer, nothing_begins_too_late)
{
    static const struct peer_step steps[] = {{"hello", NULL, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    request.timeout_ms = 3000;
    for (int i = 0; i < 5; i++) {
        /* The first two get the connections. */
        request.starts_until_ms = i < 2 ? 0 : i < 4 ? clock_wall_ms() + 150 : 1;
        world_start_request(&world, &request);
    }
    while (world.counts[TRANSFER_LATE] < 3)
        world_run_on(&world);
    cr_assert_eq(world.counts[TRANSFER_TIMEOUT], 0);
    world_run(&world);
    cr_assert_eq(world.counts[TRANSFER_TIMEOUT], 2);
    cr_assert_eq(world.counts[TRANSFER_LATE], 3);
    world_end(&world);
}

Test(transfer, cancelled_before_it_was_found_too_late)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    request.starts_until_ms = 1;
    struct transfer *transfer = world_start_request(&world, &request);
    transfer_cancel(&transfer);
    cr_assert_eq(transfer_count(world.client), 0);
    world_end(&world);
}

Test(transfer, nobody_there)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    request.url = "http://127.0.0.1:1/";
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_CONNECT, 0);
    request.url = "https://no-such-host.invalid/";
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_CONNECT, 0);
    /* TLS with somebody who does not speak it */
    snprintf(world.url, sizeof(world.url), "https://127.0.0.1:%d/", http_peer_port(world.peer));
    request.url = world.url;
    request.timeout_ms = 200;
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_CONNECT, 0);
    world_end(&world);
}

Test(transfer, refused_requests)
{
    static const char *const urls[] = {"",          "nonsense://x/",  "ftp://127.0.0.1/", "file:///etc/passwd",
                                       "http://",   "gopher://x:1/",  "http://a b/",      "http://x\r\ny/",
                                       "smtp://x/", "https://[::1:/", "dict://x/"};
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct transfer_request request = world_request(&world);
        request.url = urls[i];
        request.timeout_ms = 300;
        world_start_request(&world, &request);
        world_run(&world);
        if (urls[i][0] == '\0') /* libcurl guesses http, and knows no host */
            cr_assert(world.failure == TRANSFER_REFUSED || world.failure == TRANSFER_CONNECT);
        else
            cr_assert_eq(world.failure, TRANSFER_REFUSED, "%s: %d %s", urls[i], world.failure, world.problem.data);
    }
    struct transfer_request request = world_request(&world);
    request.headers = (const char *const[]){"a: b\r\nevil: yes", "c: d"};
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_REFUSED, 0);
    cr_assert_eq(http_peer_received(world.peer)->length, 0);
    world_end(&world);
}

/* Addresses as numbers and as a name; with the setting for tests they are allowed. */
Test(transfer, foreign_requests)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct transfer_options strict = {.ca_file = "", .connections_per_host = 2, .streams_per_connection = 10};
    static const char *const hosts[] = {"127.0.0.1",          "localhost",    "[::1]",           "0x7f.1", "2130706433",
                                        "[::ffff:127.0.0.1]", "10.255.255.1", "169.254.169.254", "0.0.0.0"};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    request.is_foreign = true;
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_OK, 200);
    transfer_client_destroy(&world.client);
    world.client = transfer_client_create(&world.loop, &strict, &world.problem);
    unsigned before = http_peer_connections(world.peer);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        snprintf(world.url, sizeof(world.url), "https://%s:%d/", hosts[i], http_peer_port(world.peer));
        world_start_request(&world, &request);
        world_run(&world);
        cr_assert_eq(world.failure, TRANSFER_REFUSED, "%s: %d %s", hosts[i], world.failure, world.problem.data);
    }
    snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%d/", http_peer_port(world.peer));
    world_start_request(&world, &request); /* not https */
    world_run(&world);
    world_check(&world, TRANSFER_REFUSED, 0);
    request.is_foreign = false; /* what the operator configured may lie anywhere, and its connections are its own */
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_OK, 200);
    request.is_foreign = true;
    world_start_request(&world, &request);
    world_run(&world);
    world_check(&world, TRANSFER_REFUSED, 0);
    cr_assert_eq(http_peer_connections(world.peer), before + 1);
    world_end(&world);
}

/* --- cancelling --- */

/* After each number of turns of the loop, so that every stage is met. */
Test(transfer, cancel_at_every_stage)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    for (int turns = 0; turns < 40; turns++) {
        struct world world;
        world_begin(&world, steps, 1, "http");
        struct transfer_request request = world_request(&world);
        struct transfer *transfer = world_start_request(&world, &request);
        for (int i = 0; i < turns && world.running > 0; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        if (world.running > 0) {
            transfer_cancel(&transfer);
            cr_assert_null(transfer);
            cr_assert_eq(world.done, 0);
        }
        cr_assert_eq(transfer_count(world.client), 0);
        world.running = 0;
        world_start(&world); /* the client goes on */
        world_run(&world);
        world_check(&world, TRANSFER_OK, 200);
        world_end(&world);
    }
}

Test(transfer, cancel_and_start_in_callbacks)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    world_start(&world);
    world.victim = world_start_request(&world, &request);
    world.starts_again = true;
    world_run(&world);
    cr_assert_null(world.victim);
    cr_assert_eq(world.done, 2);
    world_end(&world);
}

Test(transfer, destroy_at_every_stage)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    for (int turns = 0; turns < 40; turns++) {
        struct world world;
        world_begin(&world, steps, 1, "http");
        for (int i = 0; i < 5; i++)
            world_start(&world);
        for (int i = 0; i < turns && world.running > 0; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        unsigned done = world.done;
        transfer_client_destroy(&world.client);
        for (int i = 0; i < 5; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        cr_assert_eq(world.done, done, "no callback after it");
        world_end(&world);
    }
}

Test(transfer, destroy_in_a_callback)
{
    static const struct peer_step answers[] = {{"hello", ANSWER, false, false}},
                                  silence[] = {{"hello", NULL, false, false}};
    for (int i = 0; i < 2; i++) {
        struct world world;
        world_begin(&world, i == 0 ? answers : silence, 1, "http");
        struct transfer_request request = world_request(&world);
        request.timeout_ms = i == 0 ? TIMEOUT_MS : 50;
        for (int j = 0; j < 5; j++)
            world_start_request(&world, &request);
        world.destroys = true;
        world_run(&world);
        cr_assert_eq(world.done, 1);
        world_end(&world);
    }
}

Test(transfer, many_hosts)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    char urls[150][64];
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = world_request(&world);
    for (int i = 0; i < 150; i++) {
        snprintf(urls[i], sizeof(urls[i]), "http://127.0.0.%d:%d/", 1 + i % 100,
                 http_peer_port(world.peer) + (i >= 100));
        request.url = urls[i];
        world_start_request(&world, &request);
        if (i % 3 == 0)
            world_run(&world);
    }
    world_run(&world);
    cr_assert_eq(world.done, 150);
    world_end(&world);
}

Test(transfer, ca_file_that_cannot_be_read)
{
    struct transfer_options options = {
        .ca_file = "/no/such/file.pem", .connections_per_host = 1, .streams_per_connection = 1};
    struct strbuf error;
    uv_loop_t loop;
    strbuf_init(&error, 0);
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_null(transfer_client_create(&loop, &options, &error));
    cr_assert_str_eq(error.data, "provider_ca_file: /no/such/file.pem cannot be read\n");
    cr_assert_eq(uv_loop_close(&loop), 0);
    strbuf_finish(&error);
}
