#include "channel_session.h"

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "command.h"

static const struct option long_options[] = {
    {"user", required_argument, NULL, 'u'},     {"role", required_argument, NULL, 'r'},
    {"token", required_argument, NULL, 't'},    {"reason", required_argument, NULL, 'w'},
    {"max-rate", required_argument, NULL, 'm'}, {"public", required_argument, NULL, 'p'},
    {"internal", required_argument, NULL, 'i'}, {"api-key-file", required_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

static const char **field_of(struct channel_options *options, int option)
{
    switch (option) {
    case 'u':
        return &options->user;
    case 'r':
        return &options->role;
    case 't':
        return &options->token;
    case 'w':
        return &options->reason;
    case 'm':
        return &options->max_rate;
    case 'p':
        return &options->public_url;
    case 'i':
        return &options->api.url;
    case 'k':
        return &options->api.api_key_file;
    default:
        return NULL;
    }
}

int channel_options_parse(int argc, char **argv, const char *usage, struct channel_options *options, int *rest_r)
{
    const char *public_url = getenv("HANSOM_PUBLIC");
    options->public_url = public_url != NULL ? public_url : "http://127.0.0.1:8080";
    options->user = "hansom-cli";
    options->role = "support";
    options->reason = "hansom command line";
    internal_api_defaults(&options->api);
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        const char **field = field_of(options, option);
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (field == NULL)
            return EXIT_USAGE;
        *field = optarg;
    }
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
