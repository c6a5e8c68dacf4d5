#include <getopt.h>

#include "base/ids.h"
#include "base/json_writer.h"
#include "command.h"
#include "internal_api.h"

struct booking_options {
    struct internal_api api;
    const char *client, *driver, *status;
    const char *verb, *id;
};

static const char usage[] =
    "usage: hansom booking put ID --client C [--driver D] --status S [options]\n"
    "       hansom booking get ID [options]\n\n"
    "Writes or reads a booking and prints it. S is one of requested, assigned, driver_en_route_pickup,\n"
    "driver_arrived, in_progress, completed, cancelled.\n\n"
    "  --internal URL      backoffice (HANSOM_INTERNAL, else http://127.0.0.1:8090)\n"
    "  --api-key-file F    file with the API key (HANSOM_API_KEY_FILE, else var/secrets/api_key)\n";

static const struct option long_options[] = {
    {"client", required_argument, NULL, 'c'},
    {"driver", required_argument, NULL, 'd'},
    {"status", required_argument, NULL, 's'},
    {"internal", required_argument, NULL, 'i'},
    {"api-key-file", required_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_option(int option, struct booking_options *options)
{
    switch (option) {
    case 'c':
        options->client = optarg;
        return true;
    case 'd':
        options->driver = optarg;
        return true;
    case 's':
        options->status = optarg;
        return true;
    case 'i':
        options->api.url = optarg;
        return true;
    case 'k':
        options->api.api_key_file = optarg;
        return true;
    default:
        return false;
    }
}

static bool is_complete(const struct booking_options *options)
{
    if (str_equal(options->verb, "get"))
        return true;
    return str_equal(options->verb, "put") && options->client != NULL && options->status != NULL;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct booking_options *options)
{
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (!take_option(option, options))
            return EXIT_USAGE;
    }
    if (argc - optind == 2) {
        options->verb = argv[optind];
        options->id = argv[optind + 1];
    }
    if (options->id == NULL || !is_complete(options)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (!id_is_valid(options->id, strlen(options->id))) {
        fprintf(stderr, "hansom: ID must be 1 to 64 of A-Z a-z 0-9 _ -\n");
        return EXIT_USAGE;
    }
    return -1;
}

static void write_body(const struct booking_options *options, struct strbuf *body)
{
    struct json_writer json;
    json_writer_init(&json, body);
    json_begin_object(&json);
    json_kv_string(&json, "client_id", options->client);
    json_kv_string(&json, "driver_id", options->driver);
    json_kv_string(&json, "status", options->status);
    json_end_object(&json);
}

static int call(const struct booking_options *options, struct strbuf *body, struct strbuf *answer)
{
    char path[ID_SIZE + 32];
    snprintf(path, sizeof(path), "/v1/bookings/%s", options->id);
    bool is_put = str_equal(options->verb, "put");
    if (is_put)
        write_body(options, body);
    char *error = NULL;
    long status =
        internal_api_call(&options->api, is_put ? "PUT" : "GET", path, is_put ? body->data : NULL, answer, &error);
    bool is_good = status == 200 || status == 201;
    if (is_good)
        printf("%s\n", answer->data);
    else
        internal_api_print_failure(status, answer, error);
    mem_free(error);
    return is_good ? EXIT_OK : EXIT_RUNTIME;
}

int cmd_booking(int argc, char **argv)
{
    struct booking_options options = {0};
    internal_api_defaults(&options.api);
    int exit_code = parse(argc, argv, &options);
    if (exit_code >= 0)
        return exit_code;
    struct strbuf body, answer;
    strbuf_init(&body, 256);
    strbuf_init(&answer, 1024);
    exit_code = call(&options, &body, &answer);
    strbuf_finish(&body);
    strbuf_finish(&answer);
    return exit_code;
}
