#include <getopt.h>
#include <stdio.h>

#include "ask.h"
#include "base/ids.h"
#include "base/json_writer.h"
#include "command.h"
#include "options.h"

struct booking_options {
    struct internal_api api;
    const char *client, *driver, *status;
    const char *verb, *id;
};

static const char usage[] =
    "usage: hansom booking put ID --client C [--driver D] --status S [options]\n"
    "       hansom booking get ID [options]\n\n"
    "Writes or reads a booking and prints it. S is one of requested, assigned, driver_en_route_pickup,\n"
    "driver_arrived, in_progress, completed, cancelled.\n\n" INTERNAL_USAGE;

static const struct option_row option_rows[] = {
    OPTION("client", struct booking_options, client),
    OPTION("driver", struct booking_options, driver),
    OPTION("status", struct booking_options, status),
    INTERNAL_OPTIONS(struct booking_options),
    OPTIONS_END,
};

static bool is_complete(const struct booking_options *options)
{
    if (str_equal(options->verb, "get"))
        return true;
    return str_equal(options->verb, "put") && options->client != NULL && options->status != NULL;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct booking_options *options)
{
    int exit_code = options_parse(argc, argv, usage, option_rows, options);
    if (exit_code >= 0)
        return exit_code;
    if (argc - optind == 2) {
        options->verb = argv[optind];
        options->id = argv[optind + 1];
    }
    if (options->id == NULL || !is_complete(options)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (!is_id(options->id)) {
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

int cmd_booking(int argc, char **argv)
{
    struct booking_options options = {0};
    internal_api_defaults(&options.api);
    int exit_code = parse(argc, argv, &options);
    if (exit_code >= 0)
        return exit_code;
    char path[ID_SIZE + 32];
    snprintf(path, sizeof(path), "/v1/bookings/%s", options.id);
    if (str_equal(options.verb, "get"))
        return ask_and_print(&options.api, "GET", path, NULL);
    struct strbuf body;
    strbuf_init(&body, 256);
    write_body(&options, &body);
    exit_code = ask_and_print(&options.api, "PUT", path, body.data);
    strbuf_finish(&body);
    return exit_code;
}
