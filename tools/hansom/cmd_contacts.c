#include <cjson/cJSON.h>
#include <getopt.h>

#include "base/ids.h"
#include "base/json_writer.h"
#include "command.h"
#include "internal_api.h"

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
    "{\"channels\":{\"sms\":false},\"muted_types\":[],\"quiet_hours\":{\"from\":\"22:00\",\"to\":\"07:00\"}}\n"
    "  --internal URL      backoffice (HANSOM_INTERNAL, else http://127.0.0.1:8090)\n"
    "  --api-key-file F    file with the API key (HANSOM_API_KEY_FILE, else var/secrets/api_key)\n";

static const struct option long_options[] = {
    {"email", required_argument, NULL, 'e'},
    {"phone", required_argument, NULL, 'p'},
    {"locale", required_argument, NULL, 'l'},
    {"timezone", required_argument, NULL, 'z'},
    {"preferences", required_argument, NULL, 'w'},
    {"internal", required_argument, NULL, 'i'},
    {"api-key-file", required_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char **field_of(struct contacts_options *options, int option)
{
    switch (option) {
    case 'e':
        return &options->email;
    case 'p':
        return &options->phone;
    case 'l':
        return &options->locale;
    case 'z':
        return &options->timezone;
    case 'w':
        return &options->preferences;
    case 'i':
        return &options->api.url;
    case 'k':
        return &options->api.api_key_file;
    default:
        return NULL;
    }
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct contacts_options *options)
{
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
    if (argc - optind != 2 || !str_equal(argv[optind], "put")) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    options->user = argv[optind + 1];
    if (id_is_valid(options->user, strlen(options->user)))
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

static int call(const struct contacts_options *options, const char *body)
{
    char path[ID_SIZE + 32];
    snprintf(path, sizeof(path), "/v1/users/%s/contacts", options->user);
    struct strbuf answer;
    strbuf_init(&answer, 1024);
    char *error = NULL;
    long status = internal_api_call(&options->api, "PUT", path, body, &answer, &error);
    if (status == 200)
        printf("%s\n", answer.data);
    else
        internal_api_print_failure(status, &answer, error);
    mem_free(error);
    strbuf_finish(&answer);
    return status == 200 ? EXIT_OK : EXIT_RUNTIME;
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
        exit_code = call(&options, body.data);
    } else {
        fprintf(stderr, "hansom: --preferences must be JSON\n");
        exit_code = EXIT_USAGE;
    }
    strbuf_finish(&body);
    return exit_code;
}
