#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "channel_session.h"
#include "command.h"
#include "options.h"

static const char usage[] =
    "usage: hansom tail CHANNEL... [options]\n\n"
    "Prints each item of the channels as one line of JSON, until Ctrl-C; connects again by itself.\n\n"
    "  --user U --role R   who watches (hansom-cli, support)\n"
    "  --token T           an access token instead\n"
    "  --reason TEXT       for support and admin, kept in the audit trail\n"
    "  --max-rate R        updates per second at most\n"
    "  --public URL        gateway (HANSOM_PUBLIC, else http://127.0.0.1:8080)\n" INTERNAL_USAGE;

struct tail {
    struct channel_options options;
    uv_loop_t loop;
    uv_signal_t interrupt, terminate;
    struct hansom_client *client;
    char **channels;
    int channel_count, exit_code;
};

static char *get_token(void *context)
{
    return channel_token(&((struct tail *)context)->options);
}

static void subscribe(struct tail *tail, int index)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 128);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "op", "subscribe");
    json_kv_int(&json, "id", index + 2);
    json_kv_string(&json, "channel", tail->channels[index]);
    json_kv_string(&json, "reason", tail->options.reason);
    if (tail->options.max_rate != NULL)
        json_kv_double(&json, "max_rate", strtod(tail->options.max_rate, NULL), 3);
    json_end_object(&json);
    hansom_client_send(tail->client, text.data, text.length);
    strbuf_finish(&text);
}

static void on_opened(void *context, const cJSON *welcome)
{
    struct tail *tail = context;
    (void)welcome;
    for (int i = 0; i < tail->channel_count; i++)
        subscribe(tail, i);
}

static void print_json(const cJSON *item)
{
    char *text = cJSON_PrintUnformatted(item);
    puts(text);
    fflush(stdout);
    cJSON_free(text);
}

static void on_frame(void *context, const cJSON *frame)
{
    struct tail *tail = context;
    const char *op = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(frame, "op"));
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(frame, "data"), *item;
    if (str_equal(op, "message")) {
        print_json(data);
    } else if (str_equal(op, "reply")) {
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(frame, "messages"))
            print_json(cJSON_GetObjectItemCaseSensitive(item, "data"));
    } else {
        char *text = cJSON_PrintUnformatted(frame);
        fprintf(stderr, "%s\n", text);
        cJSON_free(text);
        if (str_equal(op, "error"))
            tail->exit_code = EXIT_RUNTIME;
        if (str_equal(op, "error") || str_equal(op, "unsubscribed"))
            uv_stop(&tail->loop);
    }
}

static void on_closed(void *context, int code, bool will_retry)
{
    struct tail *tail = context;
    fprintf(stderr, "connection ended (%d)%s\n", code, will_retry ? ", again soon" : "");
    if (will_retry)
        return;
    tail->exit_code = EXIT_RUNTIME;
    uv_stop(&tail->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static const struct hansom_client_events events = {get_token, on_opened, on_frame, on_closed};

int cmd_tail(int argc, char **argv)
{
    struct tail tail = {.exit_code = EXIT_OK};
    int rest, code = channel_options_parse(argc, argv, usage, &tail.options, &rest);
    if (code >= 0)
        return code;
    tail.channels = argv + rest;
    tail.channel_count = argc - rest;
    if (tail.channel_count == 0) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    uv_loop_init(&tail.loop);
    uv_signal_init(&tail.loop, &tail.interrupt);
    uv_signal_init(&tail.loop, &tail.terminate);
    uv_signal_start(&tail.interrupt, on_signal, SIGINT);
    uv_signal_start(&tail.terminate, on_signal, SIGTERM);
    tail.client = hansom_client_create(&tail.loop, tail.options.host, tail.options.port, &events, &tail);
    uv_run(&tail.loop, UV_RUN_DEFAULT);
    hansom_client_destroy(&tail.client);
    uv_close((uv_handle_t *)&tail.interrupt, NULL);
    uv_close((uv_handle_t *)&tail.terminate, NULL);
    uv_run(&tail.loop, UV_RUN_DEFAULT);
    uv_loop_close(&tail.loop);
    return tail.exit_code;
}
