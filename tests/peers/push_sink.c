/*
 * A provider for load tests: HTTP/2 in the clear or over TLS, answers every POST with 200 after a fixed delay.
 * SIGTERM ends it; then it prints what it has counted.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink_connection.h"

struct options {
    uint16_t port;
    uint64_t delay_ms;
    uint32_t streams_max;
    const char *certificate, *key;
};

static const char usage[] =
    "push_sink [--port=N] [--delay-ms=N] [--max-streams=N] [--cert=PEM --key=PEM]\n"
    "  --port         on 127.0.0.1; 0 (the default) takes a free one\n"
    "  --delay-ms     before each answer, default 50\n"
    "  --max-streams  at once on a connection, default 1000\n"
    "  --cert, --key  TLS; without them HTTP/2 with prior knowledge\n"
    "Prints \"listening PORT\", and at SIGTERM one line of counts. GET answers {\"requests\":N,\"answered\":N}.\n";

static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0 || value > max) {
        fprintf(stderr, "push_sink: %s: a number of 0..%" PRIu64 " is wanted\n", text, max);
        exit(2);
    }
    return value;
}

static void parse(int argc, char **argv, struct options *options_r)
{
    static const struct option names[] = {{"port", required_argument, NULL, 'p'},
                                          {"delay-ms", required_argument, NULL, 'd'},
                                          {"max-streams", required_argument, NULL, 's'},
                                          {"cert", required_argument, NULL, 'c'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int letter;
    *options_r = (struct options){.delay_ms = 50, .streams_max = 1000};
    while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (letter == 'p')
            options_r->port = (uint16_t)number(optarg, UINT16_MAX);
        else if (letter == 'd')
            options_r->delay_ms = number(optarg, 3600000);
        else if (letter == 's')
            options_r->streams_max = (uint32_t)number(optarg, 100000);
        else if (letter == 'c')
            options_r->certificate = optarg;
        else if (letter == 'k')
            options_r->key = optarg;
        else {
            fputs(usage, letter == 'h' ? stdout : stderr);
            exit(letter == 'h' ? 0 : 2);
        }
    }
}

static int choose_h2(SSL *tls, const unsigned char **chosen_r, unsigned char *length_r, const unsigned char *offered,
                     unsigned length, void *context)
{
    (void)tls, (void)context;
    return nghttp2_select_next_protocol((unsigned char **)(void *)chosen_r, length_r, offered, length) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *make_tls(const struct options *options)
{
    if (options->certificate == NULL)
        return NULL;
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    ASSERT(tls != NULL);
    const char *key = options->key == NULL ? options->certificate : options->key;
    if (SSL_CTX_use_certificate_chain_file(tls, options->certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "push_sink: --cert, --key: not a certificate and its key\n");
        exit(2);
    }
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, choose_h2, NULL);
    return tls;
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        sink_connection_accept(listener->data, listener);
}

static void on_signal(uv_signal_t *signal, int which)
{
    (void)which;
    sink_close_all(signal->data);
    uv_stop(signal->loop);
}

static void listen_on(struct sink *sink, uv_tcp_t *listener, uint16_t port)
{
    struct sockaddr_storage bound;
    int size = sizeof(bound);
    struct sockaddr_in address;
    uv_tcp_init(sink->loop, listener);
    listener->data = sink;
    if (uv_ip4_addr("127.0.0.1", port, &address) != 0 ||
        uv_tcp_bind(listener, (const struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)listener, 511, on_connection) != 0 ||
        uv_tcp_getsockname(listener, (struct sockaddr *)&bound, &size) != 0) {
        fprintf(stderr, "push_sink: --port %u: cannot listen\n", port);
        exit(2);
    }
    printf("listening %u\n", ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port));
    fflush(stdout);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

int main(int argc, char **argv)
{
    struct options options;
    parse(argc, argv, &options);
    uv_loop_t *loop = uv_default_loop();
    struct sink sink = {.delay_ms = options.delay_ms, .streams_max = options.streams_max, .tls = make_tls(&options)};
    uv_tcp_t listener;
    uv_signal_t terminate, interrupt;
    uv_timer_init(loop, &sink.timer);
    uv_signal_init(loop, &terminate);
    uv_signal_init(loop, &interrupt);
    terminate.data = interrupt.data = &sink;
    sink_init(&sink, loop);
    uv_signal_start(&terminate, on_signal, SIGTERM);
    uv_signal_start(&interrupt, on_signal, SIGINT);
    listen_on(&sink, &listener, options.port); /* says so: from here on it may be told to end */
    uv_run(loop, UV_RUN_DEFAULT);
    uv_walk(loop, close_handle, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    sink_finish(&sink);
    printf("requests=%" PRIu64 " answered=%" PRIu64 " body_bytes=%" PRIu64 " connections=%" PRIu64
           " waiting_max=%" PRIu64 "\n",
           sink.requests, sink.answered, sink.body_bytes, sink.connections_seen, sink.waiting_max);
    return 0;
}
