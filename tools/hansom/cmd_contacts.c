#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>

#include "ask.h"
#include "base/ids.h"
#include "base/json_writer.h"
#include "command.h"
#include "options.h"

struct contacts_options {
    struct internal_api api;
    const char *user, *email, *phone, *locale, *timezone, *preferences;
};

static const char usage[] =
    "usage: hansom contacts put USER [--email A] [--phone N] [--locale L] [--timezone Z] [--preferences JSON]\n"
    "                           [options]\n\n"
    "Says how a user is reached when the app is not, and prints what is kept. The whole is replaced: what is\n"
    "not given is not known any more.\n\n"
    "  --email A           ann@example.com\n"
    "  --phone N           +41791234567\n"
    "  --locale L          de-CH\n"
    "  --timezone Z        Europe/Zurich\n"
    "  --preferences JSON  "
    "{\"channels\":{\"sms\":false},\"muted_types\":[],\"quiet_hours\":{\"from\":\"22:00\",\"to\":\"07:00\"}}"
    "\n" INTERNAL_USAGE;

static const struct option_row option_rows[] = {
    OPTION("email", struct contacts_options, email),
    OPTION("phone", struct contacts_options, phone),
    OPTION("locale", struct contacts_options, locale),
    OPTION("timezone", struct contacts_options, timezone),
    OPTION("preferences", struct contacts_options, preferences),
    INTERNAL_OPTIONS(struct contacts_options),
    OPTIONS_END,
};

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct contacts_options *options)
{
    int exit_code = options_parse(argc, argv, usage, option_rows, options);
    if (exit_code >= 0)
        return exit_code;
    if (argc - optind != 2 || !str_equal(argv[optind], "put")) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    options->user = argv[optind + 1];
    if (is_id(options->user))
        return -1;
    fprintf(stderr, "hansom: USER must be 1 to 64 of A-Z a-z 0-9 _ -\n");
    return EXIT_USAGE;
}

static bool write_preferences(struct json_writer *json, const char *text)
{
    cJSON *preferences = cJSON_Parse(text);
    char *plain = preferences != NULL ? cJSON_PrintUnformatted(preferences) : NULL;
    if (plain != NULL) {
        json_key(json, "preferences");
        json_raw(json, plain, strlen(plain));
    }
    cJSON_Delete(preferences);
    cJSON_free(plain);
    return plain != NULL;
}

static bool write_body(const struct contacts_options *options, struct strbuf *body)
{
    struct json_writer json;
    json_writer_init(&json, body);
    json_begin_object(&json);
    json_kv_string(&json, "email", options->email);
    json_kv_string(&json, "phone", options->phone);
    json_kv_string(&json, "locale", options->locale);
    json_kv_string(&json, "timezone", options->timezone);
    if (options->preferences != NULL && !write_preferences(&json, options->preferences))
        return false;
    json_end_object(&json);
    return true;
}

int cmd_contacts(int argc, char **argv)
{
    struct contacts_options options = {0};
    internal_api_defaults(&options.api);
    int exit_code = parse(argc, argv, &options);
    if (exit_code >= 0)
        return exit_code;
    struct strbuf body;
    strbuf_init(&body, 512);
    if (write_body(&options, &body)) {
        char path[ID_SIZE + 32];
        snprintf(path, sizeof(path), "/v1/users/%s/contacts", options.user);
        exit_code = ask_and_print(&options.api, "PUT", path, body.data);
    } else {
        fprintf(stderr, "hansom: --preferences must be JSON\n");
        exit_code = EXIT_USAGE;
    }
    strbuf_finish(&body);
    return exit_code;
}
