#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "channel_session.h"
#include "command.h"
#include "options.h"

static const char usage[] =
    "usage: hansom publish CHANNEL JSON --user U --role R [options]\n\n"
    "Publishes one item and prints the reply.\n\n"
    "  --user U --role R   who publishes\n"
    "  --token T           an access token instead\n"
    "  --public URL        gateway (HANSOM_PUBLIC, else http://127.0.0.1:8080)\n" INTERNAL_USAGE;

#define PUBLISH_ID 2

struct publish {
    struct channel_options options;
    uv_loop_t loop;
    struct hansom_client *client;
    const char *channel;
    char *data;
    int exit_code;
};

static char *get_token(void *context)
{
    struct publish *publish = context;
    char *token = channel_token(&publish->options);
    if (token == NULL)
        uv_stop(&publish->loop);
    return token;
}

static void on_opened(void *context, const cJSON *welcome)
{
    struct publish *publish = context;
    (void)welcome;
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 256);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "op", "publish");
    json_kv_int(&json, "id", PUBLISH_ID);
    json_kv_string(&json, "channel", publish->channel);
    json_key(&json, "data");
    json_raw(&json, publish->data, strlen(publish->data));
    json_end_object(&json);
    hansom_client_send(publish->client, text.data, text.length);
    strbuf_finish(&text);
}

static void on_frame(void *context, const cJSON *frame)
{
    struct publish *publish = context;
    const char *op = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(frame, "op"));
    bool is_reply = str_equal(op, "reply");
    if (!is_reply && !str_equal(op, "error"))
        return;
    char *text = cJSON_PrintUnformatted(frame);
    fprintf(is_reply ? stdout : stderr, "%s\n", text);
    cJSON_free(text);
    publish->exit_code = is_reply ? EXIT_OK : EXIT_RUNTIME;
    uv_stop(&publish->loop);
}

static void on_closed(void *context, int code, bool will_retry)
{
    struct publish *publish = context;
    (void)will_retry;
    fprintf(stderr, "connection ended (%d)\n", code);
    uv_stop(&publish->loop);
}

static const struct hansom_client_events events = {get_token, on_opened, on_frame, on_closed};

int cmd_publish(int argc, char **argv)
{
    struct publish publish = {.exit_code = EXIT_RUNTIME};
    int rest, code = channel_options_parse(argc, argv, usage, &publish.options, &rest);
    if (code >= 0)
        return code;
    cJSON *data = argc - rest == 2 ? cJSON_Parse(argv[rest + 1]) : NULL;
    if (data == NULL) {
        fputs(argc - rest == 2 ? "JSON: not valid\n" : usage, stderr);
        return EXIT_USAGE;
    }
    publish.channel = argv[rest];
    publish.data = cJSON_PrintUnformatted(data);
    cJSON_Delete(data);
    uv_loop_init(&publish.loop);
    publish.client = hansom_client_create(&publish.loop, publish.options.host, publish.options.port, &events, &publish);
    uv_run(&publish.loop, UV_RUN_DEFAULT);
    hansom_client_destroy(&publish.client);
    uv_run(&publish.loop, UV_RUN_DEFAULT);
    uv_loop_close(&publish.loop);
    cJSON_free(publish.data);
    return publish.exit_code;
}
