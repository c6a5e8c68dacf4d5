#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>

#include "ask.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/json_writer.h"
#include "command.h"
#include "ledger_text.h"
#include "options.h"

#define PAGE_MAX 200L
#define LIMIT_MAX 10000L
#define EXPIRES_IN_MAX_S 31536000L
#define DEAD_LIMIT 50L

struct notify_options {
    struct internal_api api;
    const char *user, *channel, *type, *collapse_key, *event_id, *limit, *expires_in;
    bool is_critical;
    long limit_number, expires_in_s; /* 0: not given */
    char **arguments;                /* behind the verb */
    int count;
};

static const char usage[] =
    "usage: hansom notify show EVENT_ID [--user ID] [options]\n"
    "       hansom notify dead [--channel C] [--limit N] [options]\n"
    "       hansom notify replay EVENT_ID | --channel C [--limit N] [options]\n"
    "       hansom notify send USER --type T [--critical] [--expires-in S] [--collapse-key K] [--event-id ID]\n"
    "                          DATA_JSON [options]\n\n"
    "show prints the ledger of an event, one line per attempt; dead the deliveries that were given up, newest\n"
    "first; replay makes them due again; send posts an event to a user and prints the answer. C is one of fcm,\n"
    "apns, webpush, sms, email, webhook.\n\n" INTERNAL_USAGE;

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* The answer (cJSON_Delete), NULL with a word on stderr. */
static cJSON *ask_json(const struct notify_options *options, const char *method, const char *path, const char *body)
{
    struct strbuf answer;
    strbuf_init(&answer, 4096);
    cJSON *root = NULL;
    if (ask(&options->api, method, path, body, &answer)) {
        root = cJSON_ParseWithLength(answer.data, answer.length);
        if (root == NULL)
            fprintf(stderr, "hansom: the answer is not JSON\n");
    }
    strbuf_finish(&answer);
    return root;
}

/* --- the verbs ---------------------------------------------------------------------------------------------------- */

static int show(const struct notify_options *options)
{
    char path[256];
    snprintf(path, sizeof(path), "/v1/notifications/%s%s%s", options->arguments[0],
             options->user != NULL ? "?user_id=" : "", options->user != NULL ? options->user : "");
    cJSON *ledger = ask_json(options, "GET", path, NULL);
    if (ledger == NULL)
        return EXIT_RUNTIME;
    struct strbuf text;
    strbuf_init(&text, 1024);
    ledger_text_append(&text, ledger);
    fputs(text.data, stdout);
    strbuf_finish(&text);
    cJSON_Delete(ledger);
    return EXIT_OK;
}

/* Prints a page; sets where the next one begins, 0: there is none. */
static bool print_dead_page(const struct notify_options *options, long limit, double *before, long *count_r)
{
    char path[256];
    int length = snprintf(path, sizeof(path), "/v1/notifications?state=dead&limit=%ld", limit);
    if (options->channel != NULL)
        length += snprintf(path + length, sizeof(path) - (size_t)length, "&channel=%s", options->channel);
    if (*before > 0)
        snprintf(path + length, sizeof(path) - (size_t)length, "&before=%.0f", *before);
    cJSON *page = ask_json(options, "GET", path, NULL);
    if (page == NULL)
        return false;
    struct strbuf text;
    strbuf_init(&text, 1024);
    *count_r = (long)dead_text_append(&text, page);
    fputs(text.data, stdout);
    const cJSON *next = cJSON_GetObjectItemCaseSensitive(page, "before");
    *before = cJSON_IsNumber(next) ? next->valuedouble : 0;
    strbuf_finish(&text);
    cJSON_Delete(page);
    return true;
}

static int dead(const struct notify_options *options)
{
    long left = options->limit_number > 0 ? options->limit_number : DEAD_LIMIT, count = 0;
    double before = 0;
    do {
        if (!print_dead_page(options, left < PAGE_MAX ? left : PAGE_MAX, &before, &count))
            return EXIT_RUNTIME;
        left -= count;
    } while (left > 0 && count > 0 && before > 0);
    return EXIT_OK;
}

static cJSON *ask_replay(const struct notify_options *options)
{
    if (options->count == 1) {
        char path[ID_SIZE + 32];
        snprintf(path, sizeof(path), "/v1/notifications/%s/replay", options->arguments[0]);
        return ask_json(options, "POST", path, NULL);
    }
    struct strbuf body;
    struct json_writer json;
    strbuf_init(&body, 64);
    json_writer_init(&json, &body);
    json_begin_object(&json);
    json_kv_string(&json, "channel", options->channel);
    if (options->limit_number > 0)
        json_kv_int(&json, "limit", options->limit_number);
    json_end_object(&json);
    cJSON *answer = ask_json(options, "POST", "/v1/notifications/replay", body.data);
    strbuf_finish(&body);
    return answer;
}

static int replay(const struct notify_options *options)
{
    bool is_by_event = options->count == 1 && options->channel == NULL && options->limit == NULL;
    bool is_by_channel = options->count == 0 && options->channel != NULL;
    if (!is_by_event && !is_by_channel) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    cJSON *answer = ask_replay(options);
    if (answer == NULL)
        return EXIT_RUNTIME;
    double replayed = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(answer, "replayed"));
    printf("replayed %.0f\n", replayed);
    cJSON_Delete(answer);
    return EXIT_OK;
}

static void write_event(const struct notify_options *options, const char *data, struct strbuf *body)
{
    char event_id[UUID_SIZE];
    uuid_generate(event_id);
    struct json_writer json;
    json_writer_init(&json, body);
    json_begin_object(&json);
    json_kv_string(&json, "event_id", options->event_id != NULL ? options->event_id : event_id);
    json_kv_string(&json, "type", options->type);
    if (options->is_critical)
        json_kv_bool(&json, "critical", true);
    if (options->expires_in_s > 0)
        json_kv_time(&json, "expires_at", clock_wall_ms() + options->expires_in_s * 1000);
    if (options->collapse_key != NULL)
        json_kv_string(&json, "collapse_key", options->collapse_key);
    json_key(&json, "data");
    json_raw(&json, data, strlen(data));
    json_end_object(&json);
}

static int post_event(const struct notify_options *options, const char *data)
{
    char path[ID_SIZE + 32];
    snprintf(path, sizeof(path), "/v1/users/%s/events", options->arguments[0]);
    struct strbuf body;
    strbuf_init(&body, 512);
    write_event(options, data, &body);
    cJSON *answer = ask_json(options, "POST", path, body.data);
    strbuf_finish(&body);
    if (answer == NULL)
        return EXIT_RUNTIME;
    char *text = cJSON_PrintUnformatted(answer);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(answer);
    return EXIT_OK;
}

static int send_event(const struct notify_options *options)
{
    if (options->type == NULL) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    cJSON *parsed = cJSON_Parse(options->arguments[1]);
    char *data = cJSON_IsObject(parsed) ? cJSON_PrintUnformatted(parsed) : NULL;
    cJSON_Delete(parsed);
    if (data == NULL) {
        fprintf(stderr, "hansom: DATA_JSON must be one JSON object\n");
        return EXIT_USAGE;
    }
    int exit_code = post_event(options, data);
    cJSON_free(data);
    return exit_code;
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

#define S struct notify_options
static const struct option_row no_verb_options[] = {INTERNAL_OPTIONS(S), OPTIONS_END};
static const struct option_row show_options[] = {OPTION("user", S, user), INTERNAL_OPTIONS(S), OPTIONS_END};
static const struct option_row channel_options[] = {OPTION("channel", S, channel), OPTION("limit", S, limit),
                                                    INTERNAL_OPTIONS(S), OPTIONS_END};
static const struct option_row send_options[] = {
    OPTION("type", S, type),
    OPTION_FLAG("critical", S, is_critical),
    OPTION("expires-in", S, expires_in),
    OPTION("collapse-key", S, collapse_key),
    OPTION("event-id", S, event_id),
    INTERNAL_OPTIONS(S),
    OPTIONS_END,
};
#undef S

static const struct verb {
    const char *name;
    const struct option_row *options;
    int count_min, count_max;
    int (*run)(const struct notify_options *options);
} verbs[] = {
    {"show", show_options, 1, 1, show},
    {"dead", channel_options, 0, 0, dead},
    {"replay", channel_options, 0, 1, replay},
    {"send", send_options, 2, 2, send_event},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_equal(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

static bool fail(const char *text)
{
    fprintf(stderr, "hansom: %s\n", text);
    return false;
}

static bool is_number(const char *text, long max, long *number_r)
{
    if (text == NULL)
        return true;
    char *end;
    *number_r = strtol(text, &end, 10);
    return end != text && *end == '\0' && *number_r >= 1 && *number_r <= max;
}

static bool is_id_if_given(const char *text)
{
    return text == NULL || is_id(text);
}

static bool values_are_good(struct notify_options *options)
{
    if (options->count > 0 && !is_id(options->arguments[0]))
        return fail("EVENT_ID, USER: must be 1 to 64 of A-Z a-z 0-9 _ -");
    if (!is_id_if_given(options->user))
        return fail("--user: must be 1 to 64 of A-Z a-z 0-9 _ -");
    if (!is_id_if_given(options->event_id))
        return fail("--event-id: must be 1 to 64 of A-Z a-z 0-9 _ -");
    if (!is_id_if_given(options->channel))
        return fail("--channel: must be fcm, apns, webpush, sms, email or webhook");
    if (!is_number(options->limit, LIMIT_MAX, &options->limit_number))
        return fail("--limit: must be a whole number from 1 to 10000");
    if (!is_number(options->expires_in, EXPIRES_IN_MAX_S, &options->expires_in_s))
        return fail("--expires-in: must be a number of seconds from 1 to 31536000");
    return true;
}

int cmd_notify(int argc, char **argv)
{
    struct notify_options options = {0};
    internal_api_defaults(&options.api);
    const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    int exit_code = options_parse(argc, argv, usage, verb != NULL ? verb->options : no_verb_options, &options);
    if (exit_code >= 0)
        return exit_code;
    options.arguments = argv + optind + 1;
    options.count = argc - optind - 1;
    if (verb == NULL || options.count < verb->count_min || options.count > verb->count_max) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return values_are_good(&options) ? verb->run(&options) : EXIT_USAGE;
}
