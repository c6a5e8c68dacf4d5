#include "transfer_world.h"

#include <criterion/criterion.h>
#include <signal.h>

void world_begin(struct world *world, const struct peer_step *steps, size_t count, const char *scheme)
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

void world_end(struct world *world)
{
    transfer_client_destroy(&world->client);
    cr_assert_null(world->client);
    http_peer_destroy(&world->peer);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&world->loop), 0);
    strbuf_finish(&world->body);
    strbuf_finish(&world->problem);
}

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
        world_start(world);
    }
    if (world->destroys) {
        transfer_client_destroy(&world->client);
        world->running = 0;
    }
}

struct transfer_request world_request(const struct world *world)
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

struct transfer *world_start_request(struct world *world, const struct transfer_request *request)
{
    unsigned before = world->done;
    struct transfer *transfer = transfer_start(world->client, request, on_done, world);
    cr_assert_not_null(transfer);
    cr_assert_eq(world->done, before, "never before it returns");
    world->running++;
    return transfer;
}

void world_start(struct world *world)
{
    struct transfer_request request = world_request(world);
    world_start_request(world, &request);
}

void world_run_on(struct world *world)
{
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

void world_run(struct world *world)
{
    while (world->running > 0)
        world_run_on(world);
}

void world_check(const struct world *world, enum transfer_failure failure, int status)
{
    cr_assert_eq(world->failure, failure, "failure %d, %s", world->failure, world->problem.data);
    cr_assert_eq(world->status, status);
}
