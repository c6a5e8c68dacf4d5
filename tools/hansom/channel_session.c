#include "channel_session.h"

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>

#include "base/json_writer.h"
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
    struct strbuf body, answer;
    struct json_writer json;
    strbuf_init(&body, 128);
    strbuf_init(&answer, 1024);
    json_writer_init(&json, &body);
    json_begin_object(&json);
    json_kv_string(&json, "user_id", options->user);
    json_kv_string(&json, "role", options->role);
    json_kv_string(&json, "platform", "server");
    json_end_object(&json);
    char *error = NULL, *token = NULL;
    long status = internal_api_call(&options->api, "POST", "/v1/sessions", body.data, &answer, &error);
    cJSON *root = status == 201 ? cJSON_ParseWithLength(answer.data, answer.length) : NULL;
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "access_token"));
    if (text != NULL)
        token = mem_strdup(text);
    else
        internal_api_print_failure(status, &answer, error);
    cJSON_Delete(root);
    mem_free(error);
    strbuf_finish(&body);
    strbuf_finish(&answer);
    return token;
}
