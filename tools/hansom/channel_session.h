#ifndef HANSOM_CHANNEL_SESSION_H
#define HANSOM_CHANNEL_SESSION_H
/* What tail and publish share: options, a token, one connection. */
#include <uv.h>

#include "hansom_client.h"
#include "internal_api.h"

struct channel_options {
    struct internal_api api;
    const char *public_url, *user, *role, *token, *reason, *max_rate;
    char host[64];
    int port;
};

/* Parses the options; the rest of the arguments begins at *rest_r. -1: go on; else the exit code. */
int channel_options_parse(int argc, char **argv, const char *usage, struct channel_options *options, int *rest_r);
/* The given token, or one from backoffice; NULL with a word on stderr. mem_free. */
char *channel_token(const struct channel_options *options);

#endif
