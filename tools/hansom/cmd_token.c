#include <cjson/cJSON.h>
#include <getopt.h>

#include "base/json_writer.h"
#include "command.h"
#include "internal_api.h"

struct token_options {
    struct internal_api api;
    const char *user, *role, *platform;
    const char *ttl_s;
    bool wants_json;
};

static const char usage[] =
    "usage: hansom token --user U --role client|driver|support|admin [options]\n\n"
    "Opens a session and prints its access token.\n\n"
    "  --platform P        ios, android, web, server, ... (server)\n"
    "  --ttl S             seconds that the access token is good for\n"
    "  --json              print the whole answer, refresh token included\n"
    "  --internal URL      backoffice (HANSOM_INTERNAL, else http://127.0.0.1:8090)\n"
    "  --api-key-file F    file with the API key (HANSOM_API_KEY_FILE, else var/secrets/api_key)\n";

static const struct option long_options[] = {
    {"user", required_argument, NULL, 'u'},
    {"role", required_argument, NULL, 'r'},
    {"platform", required_argument, NULL, 'p'},
    {"ttl", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"internal", required_argument, NULL, 'i'},
    {"api-key-file", required_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct token_options *options)
{
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 'u':
            options->user = optarg;
            break;
        case 'r':
            options->role = optarg;
            break;
        case 'p':
            options->platform = optarg;
            break;
        case 't':
            options->ttl_s = optarg;
            break;
        case 'j':
            options->wants_json = true;
            break;
        case 'i':
            options->api.url = optarg;
            break;
        case 'k':
            options->api.api_key_file = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_OK;
        default:
            return EXIT_USAGE;
        }
    }
    if (options->user == NULL || options->role == NULL || optind != argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static bool write_body(const struct token_options *options, struct strbuf *body)
{
    struct json_writer json;
    json_writer_init(&json, body);
    json_begin_object(&json);
    json_kv_string(&json, "user_id", options->user);
    json_kv_string(&json, "role", options->role);
    json_kv_string(&json, "platform", options->platform);
    if (options->ttl_s != NULL) {
        char *end;
        long ttl_s = strtol(options->ttl_s, &end, 10);
        if (end == options->ttl_s || *end != '\0')
            return false;
        json_kv_int(&json, "ttl_s", ttl_s);
    }
    json_end_object(&json);
    return true;
}

static int print_answer(const struct token_options *options, const struct strbuf *answer)
{
    if (options->wants_json) {
        printf("%s\n", answer->data);
        return EXIT_OK;
    }
    cJSON *root = cJSON_ParseWithLength(answer->data, answer->length);
    const char *token = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "access_token"));
    if (token != NULL)
        printf("%s\n", token);
    else
        fprintf(stderr, "hansom: the answer holds no access_token\n");
    cJSON_Delete(root);
    return token != NULL ? EXIT_OK : EXIT_RUNTIME;
}

static int call(const struct token_options *options, const char *body)
{
    struct strbuf answer;
    strbuf_init(&answer, 1024);
    char *error = NULL;
    long status = internal_api_call(&options->api, "POST", "/v1/sessions", body, &answer, &error);
    int exit_code = EXIT_RUNTIME;
    if (status == 201)
        exit_code = print_answer(options, &answer);
    else
        internal_api_print_failure(status, &answer, error);
    mem_free(error);
    strbuf_finish(&answer);
    return exit_code;
}

int cmd_token(int argc, char **argv)
{
    struct token_options options = {.platform = "server"};
    internal_api_defaults(&options.api);
    int exit_code = parse(argc, argv, &options);
    if (exit_code >= 0)
        return exit_code;
    struct strbuf body;
    strbuf_init(&body, 256);
    if (write_body(&options, &body)) {
        exit_code = call(&options, body.data);
    } else {
        fprintf(stderr, "hansom: --ttl must be a number of seconds\n");
        exit_code = EXIT_USAGE;
    }
    strbuf_finish(&body);
    return exit_code;
}
