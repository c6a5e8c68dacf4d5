#include <criterion/criterion.h>
#include <signal.h>

#include "base/clock.h"
#include "http_peer.h"
#include "transfer.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Id: abc\r\n"
#define ANSWER OK_HEAD "\r\nok"
#define TIMEOUT_MS 5000

/* A loop, a peer, a client, and what the callbacks have told. */
struct world {
    uv_loop_t loop;
    struct http_peer *peer;
    struct transfer_client *client;
    char url[64];
    unsigned done, running, counts[TRANSFER_CUT + 1];
    enum transfer_failure failure;
    int status;
    struct strbuf body, problem;
    char header[64];
    uint64_t retry_after_ms;
    struct transfer *victim; /* cancelled by the next callback */
    bool destroys, starts_again;
};

static void world_begin(struct world *world, const struct peer_step *steps, size_t count, const char *scheme)
{
    struct transfer_options options = {
        .ca_file = "", .connections_per_host = 2, .streams_per_connection = 10, .allows_private = true};
    *world = (struct world){0};
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(uv_loop_init(&world->loop), 0);
    strbuf_init(&world->body, 0);
    strbuf_init(&world->problem, 0);
    world->peer = http_peer_create(&world->loop, steps, count);
    world->client = transfer_client_create(&world->loop, &options, &world->problem);
    cr_assert_not_null(world->client);
    snprintf(world->url, sizeof(world->url), "%s://127.0.0.1:%d/path", scheme, http_peer_port(world->peer));
}

/* Nothing is left: neither a handle nor memory. */
static void world_end(struct world *world)
{
    transfer_client_destroy(&world->client);
    cr_assert_null(world->client);
    http_peer_destroy(&world->peer);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&world->loop), 0);
    strbuf_finish(&world->body);
    strbuf_finish(&world->problem);
}

static void begin(struct world *world);

static void on_done(void *context, const struct transfer *transfer, const struct transfer_reply *reply)
{
    struct world *world = context;
    const char *header = transfer_header(transfer, "x-ID");
    world->done++;
    world->running--;
    uv_stop(&world->loop);
    world->failure = reply->failure;
    world->counts[reply->failure]++;
    world->status = reply->status;
    world->retry_after_ms = transfer_retry_after_ms(transfer);
    (void)str_copy(world->header, sizeof(world->header), header == NULL ? "" : header);
    strbuf_clear(&world->body);
    strbuf_append(&world->body, reply->body, reply->body_length);
    strbuf_clear(&world->problem);
    strbuf_append_string(&world->problem, reply->problem);
    cr_assert_eq(reply->body[reply->body_length], '\0');
    if (world->victim != NULL) {
        transfer_cancel(&world->victim);
        world->running--;
    }
    if (world->starts_again) {
        world->starts_again = false;
        begin(world);
    }
    if (world->destroys) {
        transfer_client_destroy(&world->client);
        world->running = 0;
    }
}

static struct transfer_request request_to(const struct world *world)
{
    static const char *const headers[] = {"content-type: text/plain", "x-mine: 1"};
    return (struct transfer_request){.method = "POST",
                                     .url = world->url,
                                     .headers = headers,
                                     .header_count = 2,
                                     .body = "hello",
                                     .body_length = 5,
                                     .timeout_ms = TIMEOUT_MS};
}

static struct transfer *begin_request(struct world *world, const struct transfer_request *request)
{
    unsigned before = world->done;
    struct transfer *transfer = transfer_start(world->client, request, on_done, world);
    cr_assert_not_null(transfer);
    cr_assert_eq(world->done, before, "never before it returns");
    world->running++;
    return transfer;
}

static void begin(struct world *world)
{
    struct transfer_request request = request_to(world);
    begin_request(world, &request);
}

/* Until the next callback, which stops the loop. */
static void run_on(struct world *world)
{
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

static void run(struct world *world)
{
    while (world->running > 0)
        run_on(world);
}

static void check(const struct world *world, enum transfer_failure failure, int status)
{
    cr_assert_eq(world->failure, failure, "failure %d, %s", world->failure, world->problem.data);
    cr_assert_eq(world->status, status);
}

Test(transfer, answer)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    begin(&world);
    cr_assert_eq(transfer_count(world.client), 1);
    run(&world);
    check(&world, TRANSFER_OK, 200);
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
        begin(&world);
    run(&world);
    cr_assert_eq(world.done, 20);
    for (int i = 0; i < 5; i++) {
        begin(&world);
        run(&world);
    }
    check(&world, TRANSFER_OK, 200);
    cr_assert_leq(http_peer_connections(world.peer), 2);
    world_end(&world);
}

Test(transfer, other_method_and_basic_authentication)
{
    static const struct peer_step steps[] = {{"\r\n\r\n", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = request_to(&world);
    request.method = "PUT";
    request.body_length = 0;
    request.basic_user = "AC1";
    request.basic_password = "se:cret";
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_OK, 200);
    cr_assert_eq(strncmp(http_peer_received(world.peer)->data, "PUT /path", 9), 0);
    cr_assert_not_null(strstr(http_peer_received(world.peer)->data, "\r\nAuthorization: Basic QUMxOnNlOmNyZXQ=\r\n"));
    begin(&world); /* the next one, with the same handle, has none */
    run(&world);
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
    begin(&world);
    run(&world);
    check(&world, TRANSFER_OK, 307);
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
        begin(&world);
        run(&world);
        check(&world, TRANSFER_OK, 503);
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
    begin(&world);
    run(&world);
    check(&world, TRANSFER_OK, 400);
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
        begin(&world);
        run(&world);
        check(&world, TRANSFER_CUT, 0);
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
        begin(&world);
        run(&world);
        check(&world, TRANSFER_OK, 200);
        begin(&world);
        run(&world);
        check(&world, TRANSFER_CUT, 0);
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
        begin(&world);
        run(&world);
        check(&world, TRANSFER_OK, 200);
    }
    cr_assert_eq(http_peer_connections(world.peer), 3);
    world_end(&world);
}

Test(transfer, no_answer_in_time)
{
    static const struct peer_step steps[] = {{"hello", NULL, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = request_to(&world);
    request.timeout_ms = 100;
    uint64_t before = uv_hrtime();
    begin_request(&world, &request);
    run(&world);
    uint64_t took_ms = (uv_hrtime() - before) / 1000000;
    check(&world, TRANSFER_TIMEOUT, 0);
    cr_assert(took_ms >= 99 && took_ms < 2000, "%llu ms", (unsigned long long)took_ms);
    world_end(&world);
}

/* Those that waited for a connection have not been sent. */
Test(transfer, waiting_ends_in_time_too)
{
    static const struct peer_step steps[] = {{"hello", NULL, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = request_to(&world);
    for (int i = 0; i < 4; i++) {
        request.timeout_ms = i < 2 ? 300 : 100; /* the first two get the connections */
        begin_request(&world, &request);
    }
    run(&world);
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
    struct transfer_request request = request_to(&world);
    request.timeout_ms = 400;
    for (int i = 0; i < 5; i++) {
        request.starts_until_ms = i < 4 ? clock_wall_ms() + 150 : 1; /* the first two get the connections */
        begin_request(&world, &request);
    }
    uint64_t before = uv_hrtime();
    while (world.counts[TRANSFER_LATE] < 3)
        run_on(&world);
    cr_assert_lt((uv_hrtime() - before) / 1000000, 390);
    run(&world);
    cr_assert_eq(world.counts[TRANSFER_TIMEOUT], 2);
    cr_assert_eq(world.counts[TRANSFER_LATE], 3);
    world_end(&world);
}

Test(transfer, cancelled_before_it_was_found_too_late)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = request_to(&world);
    request.starts_until_ms = 1;
    struct transfer *transfer = begin_request(&world, &request);
    transfer_cancel(&transfer);
    cr_assert_eq(transfer_count(world.client), 0);
    world_end(&world);
}

Test(transfer, nobody_there)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = request_to(&world);
    request.url = "http://127.0.0.1:1/";
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_CONNECT, 0);
    request.url = "https://no-such-host.invalid/";
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_CONNECT, 0);
    /* TLS with somebody who does not speak it */
    snprintf(world.url, sizeof(world.url), "https://127.0.0.1:%d/", http_peer_port(world.peer));
    request.url = world.url;
    request.timeout_ms = 200;
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_CONNECT, 0);
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
        struct transfer_request request = request_to(&world);
        request.url = urls[i];
        request.timeout_ms = 300;
        begin_request(&world, &request);
        run(&world);
        if (urls[i][0] == '\0') /* libcurl guesses http, and knows no host */
            cr_assert(world.failure == TRANSFER_REFUSED || world.failure == TRANSFER_CONNECT);
        else
            cr_assert_eq(world.failure, TRANSFER_REFUSED, "%s: %d %s", urls[i], world.failure, world.problem.data);
    }
    struct transfer_request request = request_to(&world);
    request.headers = (const char *const[]){"a: b\r\nevil: yes", "c: d"};
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_REFUSED, 0);
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
    struct transfer_request request = request_to(&world);
    request.is_foreign = true;
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_OK, 200);
    transfer_client_destroy(&world.client);
    world.client = transfer_client_create(&world.loop, &strict, &world.problem);
    unsigned before = http_peer_connections(world.peer);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        snprintf(world.url, sizeof(world.url), "https://%s:%d/", hosts[i], http_peer_port(world.peer));
        begin_request(&world, &request);
        run(&world);
        cr_assert_eq(world.failure, TRANSFER_REFUSED, "%s: %d %s", hosts[i], world.failure, world.problem.data);
    }
    snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%d/", http_peer_port(world.peer));
    begin_request(&world, &request); /* not https */
    run(&world);
    check(&world, TRANSFER_REFUSED, 0);
    request.is_foreign = false; /* what the operator configured may lie anywhere, and its connections are its own */
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_OK, 200);
    request.is_foreign = true;
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_REFUSED, 0);
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
        struct transfer_request request = request_to(&world);
        struct transfer *transfer = begin_request(&world, &request);
        for (int i = 0; i < turns && world.running > 0; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        if (world.running > 0) {
            transfer_cancel(&transfer);
            cr_assert_null(transfer);
            cr_assert_eq(world.done, 0);
        }
        cr_assert_eq(transfer_count(world.client), 0);
        world.running = 0;
        begin(&world); /* the client goes on */
        run(&world);
        check(&world, TRANSFER_OK, 200);
        world_end(&world);
    }
}

Test(transfer, cancel_and_start_in_callbacks)
{
    static const struct peer_step steps[] = {{"hello", ANSWER, false, false}};
    struct world world;
    world_begin(&world, steps, 1, "http");
    struct transfer_request request = request_to(&world);
    begin(&world);
    world.victim = begin_request(&world, &request);
    world.starts_again = true;
    run(&world);
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
            begin(&world);
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
        struct transfer_request request = request_to(&world);
        request.timeout_ms = i == 0 ? TIMEOUT_MS : 50;
        for (int j = 0; j < 5; j++)
            begin_request(&world, &request);
        world.destroys = true;
        run(&world);
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
    struct transfer_request request = request_to(&world);
    for (int i = 0; i < 150; i++) {
        snprintf(urls[i], sizeof(urls[i]), "http://127.0.0.%d:%d/", 1 + i % 100,
                 http_peer_port(world.peer) + (i >= 100));
        request.url = urls[i];
        request.timeout_ms = 1000;
        begin_request(&world, &request);
        if (i % 3 == 0)
            run(&world);
    }
    run(&world);
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

/* --- mail --- */

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
    begin_request(world, &request);
}

static const struct transfer_mail plain_mail = {.user = "", .password = ""};

Test(transfer_mail, taken)
{
    static const struct peer_step steps[] = {GREETING, EHLO, MAIL, RCPT, DATA, BODY, MAIL, RCPT, DATA, BODY};
    struct world world;
    world_begin(&world, steps, ARRAY_LEN(steps), "smtp");
    for (int i = 0; i < 2; i++) {
        begin_mail(&world, plain_mail, TIMEOUT_MS);
        run(&world);
        check(&world, TRANSFER_OK, 250);
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
    run(&world);
    check(&world, TRANSFER_OK, 250);
    world_end(&world);
}

static void check_mail(const struct peer_step *steps, size_t count, struct transfer_mail mail,
                       enum transfer_failure failure, int status, const char *problem)
{
    struct world world;
    world_begin(&world, steps, count, "smtp");
    begin_mail(&world, mail, 400);
    run(&world);
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
    CHECK_MAIL(greeting, plain_mail, TRANSFER_CONNECT, 554, NULL);
    CHECK_MAIL(login, ((struct transfer_mail){.user = "u", .password = "p"}), TRANSFER_CONNECT, 535, NULL);
    CHECK_MAIL(from, plain_mail, TRANSFER_OK, 550, "MAIL failed");
    CHECK_MAIL(to, plain_mail, TRANSFER_OK, 550, "RCPT failed");
    CHECK_MAIL(later, plain_mail, TRANSFER_OK, 450, "RCPT failed");
    CHECK_MAIL(data, plain_mail, TRANSFER_OK, 451, "DATA failed");
    CHECK_MAIL(body, plain_mail, TRANSFER_OK, 554, NULL);
    CHECK_MAIL(no_tls, ((struct transfer_mail){.user = "", .password = "", .requires_tls = true}), TRANSFER_CONNECT,
               250, NULL);
}

Test(transfer_mail, cut_and_silent)
{
    const struct peer_step cut_before[] = {GREETING, EHLO, MAIL, {"RCPT", NULL, true, false}};
    const struct peer_step cut_after[] = {GREETING, EHLO, MAIL, RCPT, DATA, {"\r\n.\r\n", NULL, true, false}};
    const struct peer_step silent_before[] = {GREETING, EHLO, MAIL, {"RCPT", NULL, false, false}};
    const struct peer_step silent_after[] = {GREETING, EHLO, MAIL, RCPT, DATA, {"\r\n.\r\n", NULL, false, false}};
    CHECK_MAIL(cut_before, plain_mail, TRANSFER_CONNECT, 250, NULL);
    CHECK_MAIL(cut_after, plain_mail, TRANSFER_CUT, 354, NULL);
    CHECK_MAIL(silent_before, plain_mail, TRANSFER_CONNECT, 250, NULL);
    CHECK_MAIL(silent_after, plain_mail, TRANSFER_TIMEOUT, 354, NULL);
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
        begin(&world);
    while (world.running > 1)
        run_on(&world);
    cr_assert_eq(world.done, 50);
    check(&world, TRANSFER_OK, 200);
    uint64_t before = uv_hrtime();
    transfer_client_destroy(&world.client); /* nor does it hold up the end */
    cr_assert_lt((uv_hrtime() - before) / 1000000, 900);
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
            transfers[i] = begin_request(&world, &request);
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
        .url = world.url, .body = "x\r\n", .body_length = 3, .timeout_ms = 1000, .mail = &mail};
    for (int i = 0; i < 2; i++)
        begin_request(&world, &request);
    request.starts_until_ms = clock_wall_ms() + 100;
    begin_request(&world, &request);
    run_on(&world);
    check(&world, TRANSFER_LATE, 0);
    run(&world);
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
    begin_request(&world, &request);
    run(&world);
    check(&world, TRANSFER_REFUSED, 0);
    cr_assert_eq(http_peer_connections(world.peer), 0);
    world_end(&world);
}
