#ifndef HANSOM_TRANSFER_WORLD_H
#define HANSOM_TRANSFER_WORLD_H
#include <uv.h>

#include "http_peer.h"
#include "transfer.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Id: abc\r\n\r\nok"
#define TIMEOUT_MS 60000

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

/* A peer that does these steps; world->url is its address. */
void world_begin(struct world *world, const struct peer_step *steps, size_t count, const char *scheme);
/* Nothing is left: neither a handle nor memory. */
void world_end(struct world *world);

/* POST hello */
struct transfer_request world_request(const struct world *world);
struct transfer *world_start_request(struct world *world, const struct transfer_request *request);
void world_start(struct world *world);
/* Until the next callback, which stops the loop; until there is nothing under way. */
void world_run_on(struct world *world);
void world_run(struct world *world);
/* How the last one ended. */
void world_check(const struct world *world, enum transfer_failure failure, int status);

#endif
