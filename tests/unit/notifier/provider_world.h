#ifndef HANSOM_PROVIDER_WORLD_H
#define HANSOM_PROVIDER_WORLD_H
/* A provider over a transfer client, a shared token and a dispatcher that note what they are told. */
#include <uv.h>

#include "notice_sample.h"
#include "notifier_settings.h"
#include "provider.h"
#include "transfer.h"

#define TRANSFERS_MAX 64

/* What the provider wanted sent; the test answers when it likes. */
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

extern struct transfer transfers[TRANSFERS_MAX];
extern size_t transfer_started, transfer_cancelled;

void answer_transfer(size_t index, int status, const char *body);
void answer_transfer_with(size_t index, struct transfer_reply reply);
void fail_transfer(size_t index, enum transfer_failure failure);

struct shared_token {
    char *token;
    unsigned refused;
    bool is_missing;
};
extern struct shared_token the_token;

struct attempt {
    unsigned done;
    struct outcome outcome;
};

/* It is done, once, like this. */
void check_attempt(const struct attempt *attempt, enum verdict verdict, enum failure failure);

struct world {
    uv_loop_t loop;
    struct notifier_settings settings;
    const struct provider *provider;
    void *state;
    struct attempt attempts[TRANSFERS_MAX];
    struct strbuf error;
    char folder[128], path[256];
};

/* All text settings are empty; the provider is not made yet. */
void world_begin(struct world *world, const struct provider *provider);
/* The file at world->path. */
void world_write_file(const struct world *world, const char *content);
/* What the provider's create answers; world->error has its words. */
void *world_create(struct world *world);
void world_start(struct world *world);
struct attempt *world_send(struct world *world, size_t index, const struct notice *notice);
/* Nothing is left: no transfer, no handle, no memory. */
void world_end(struct world *world);

#endif
