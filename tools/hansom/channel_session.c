#include "channel_session.h"

#include <getopt.h>
#include <stdio.h>

#include "command.h"
#include "options.h"

static const struct option_row option_rows[] = {
    OPTION("user", struct channel_options, user),
    OPTION("role", struct channel_options, role),
    OPTION("token", struct channel_options, token),
    OPTION("reason", struct channel_options, reason),
    OPTION("max-rate", struct channel_options, max_rate),
    OPTION("public", struct channel_options, public_url),
    INTERNAL_OPTIONS(struct channel_options),
    OPTIONS_END,
};

int channel_options_parse(int argc, char **argv, const char *usage, struct channel_options *options, int *rest_r)
{
    const char *public_url = getenv("HANSOM_PUBLIC");
    options->public_url = public_url != NULL ? public_url : "http://127.0.0.1:8080";
    options->user = "hansom-cli";
    options->role = "support";
    options->reason = "hansom command line";
    internal_api_defaults(&options->api);
    int exit_code = options_parse(argc, argv, usage, option_rows, options);
    if (exit_code >= 0)
        return exit_code;
    *rest_r = optind;
    if (!hansom_client_parse_url(options->public_url, options->host, &options->port)) {
        fprintf(stderr, "--public %s: must be http://IPV4:PORT\n", options->public_url);
        return EXIT_USAGE;
    }
    return -1;
}

char *channel_token(const struct channel_options *options)
{
    if (options->token != NULL)
        return mem_strdup(options->token);
    const struct internal_session session = {.user = options->user, .role = options->role, .platform = "server"};
    char *error = NULL, *token = internal_api_open_session(&options->api, &session, &error);
    if (token == NULL)
        fprintf(stderr, "hansom: %s\n", error);
    mem_free(error);
    return token;
}
