#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>

#include "ask.h"
#include "base/json_writer.h"
#include "command.h"
#include "options.h"

struct token_options {
    struct internal_api api;
    const char *user, *role, *platform;
    const char *ttl_s;
    bool wants_json;
};

static const char usage[] = "usage: hansom token --user U --role client|driver|support|admin [options]\n\n"
                            "Opens a session and prints its access token.\n\n"
                            "  --platform P        ios, android, web, server, ... (server)\n"
                            "  --ttl S             seconds that the access token is good for\n"
                            "  --json              print the whole answer, refresh token included\n" INTERNAL_USAGE;

static const struct option_row option_rows[] = {
    OPTION("user", struct token_options, user),
    OPTION("role", struct token_options, role),
    OPTION("platform", struct token_options, platform),
    OPTION("ttl", struct token_options, ttl_s),
    OPTION_FLAG("json", struct token_options, wants_json),
    INTERNAL_OPTIONS(struct token_options),
    OPTIONS_END,
};

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct token_options *options)
{
    int exit_code = options_parse(argc, argv, usage, option_rows, options);
    if (exit_code >= 0)
        return exit_code;
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
    bool is_good = ask(&options->api, "POST", "/v1/sessions", body, &answer);
    int exit_code = is_good ? print_answer(options, &answer) : EXIT_RUNTIME;
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
