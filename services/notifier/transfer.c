#include "transfer.h"

#include <unistd.h>

#include "base/clock.h"
#include "transfer_priv.h"
#include "transfer_resets.h"

#define IDLE_MAX 1024                 /* transfers that are kept for the next requests */
#define KEPT_BUFFER_MAX (32u * 1024u) /* with no larger buffers than this */
#define RETRY_AFTER_MAX_S 86400
#define MAIL_GRACE_MS 2000 /* its thread watches the time itself, and knows more about how far it came */

const char *transfer_header(const struct transfer *transfer, const char *name)
{
    struct curl_header *header;
    if (transfer->easy == NULL || curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

uint64_t transfer_retry_after_ms(const struct transfer *transfer)
{
    curl_off_t seconds = 0;
    if (transfer->easy != NULL)
        curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return 0;
    return 1000u * (uint64_t)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S);
}

void transfer_client_hold(struct transfer_client *client)
{
    client->holds++;
}

void transfer_client_release(struct transfer_client *client)
{
    if (--client->holds > 0)
        return;
    ASSERT(client->is_closing);
    hashmap_destroy(&client->hosts);
    heap_finish(&client->deadlines);
    mem_free(client->ca_file);
    mem_free(client);
    curl_global_cleanup();
}

/* --- transfers --- */

static void transfer_destroy(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    strbuf_finish(&transfer->text);
    strbuf_finish(&transfer->body);
    strbuf_finish(&transfer->reply);
    mem_free(transfer->header_nodes);
    mem_free(transfer);
}

static struct transfer *transfer_take(struct transfer_client *client, enum transfer_kind kind)
{
    struct list_node *idle = &client->idle[kind];
    if (!list_is_empty(idle)) {
        struct transfer *transfer = CONTAINER_OF(idle->prev, struct transfer, node);
        list_remove(&transfer->node);
        client->idle_count--;
        return transfer;
    }
    struct transfer *transfer = mem_alloc(sizeof(*transfer));
    transfer->client = client;
    transfer->kind = kind;
    strbuf_init(&transfer->text, 0);
    strbuf_init(&transfer->body, 0);
    strbuf_init(&transfer->reply, 0);
    if (kind != TRANSFER_KIND_MAIL)
        transfer->easy = transfer_easy_create(transfer);
    return transfer;
}

static void transfer_give_back(struct transfer *transfer)
{
    struct transfer_client *client = transfer->client;
    bool is_large = transfer->body.capacity > KEPT_BUFFER_MAX || transfer->reply.capacity > KEPT_BUFFER_MAX;
    if (client->is_closing || is_large || client->idle_count >= IDLE_MAX) {
        transfer_destroy(transfer);
        return;
    }
    list_append(&client->idle[transfer->kind], &transfer->node);
    client->idle_count++;
}

static void leave(struct transfer *transfer)
{
    list_remove(&transfer->node);
    heap_remove(&transfer->client->deadlines, &transfer->deadline);
    if (--transfer->client->under_way_count == 0)
        uv_timer_stop(&transfer->client->deadline_timer); /* nothing keeps the loop busy then */
}

void transfer_end(struct transfer *transfer, const struct transfer_reply *reply)
{
    struct transfer_reply told = *reply;
    if (transfer->is_late && told.failure == TRANSFER_CONNECT)
        told.failure = TRANSFER_LATE;
    leave(transfer);
    transfer->is_ended = true;
    transfer->callback(transfer->context, transfer, &told);
    transfer_give_back(transfer);
}

/* --- deadlines --- */

static void on_deadline(uv_timer_t *timer);

static void arm(struct transfer_client *client)
{
    struct heap_node *first = heap_first(&client->deadlines);
    uint64_t now_ms = clock_monotonic_ms();
    if (first == NULL)
        uv_timer_stop(&client->deadline_timer);
    else {
        uv_update_time(client->loop);
        uv_timer_start(&client->deadline_timer, on_deadline, first->key > now_ms ? first->key - now_ms : 1, 0);
    }
}

static bool has_sent(const struct transfer *transfer)
{
    return transfer->host != NULL ? host_has_sent(transfer) : transfer->job != NULL && mailer_has_sent(transfer);
}

static void end_late(struct transfer *transfer)
{
    static const struct transfer_reply not_begun = {.failure = TRANSFER_CONNECT, .body = "", .problem = "too late"};
    if (transfer->host != NULL)
        host_end(transfer->host, transfer, CURLE_OPERATION_TIMEDOUT);
    else if (transfer->job != NULL)
        mailer_end_late(transfer->client->mailer, transfer);
    else
        transfer_end(transfer, &not_begun);
}

/* What has begun in time goes on. */
static void on_due(struct transfer *transfer, uint64_t now_ms)
{
    transfer->is_late = now_ms < transfer->ends_ms;
    if (transfer->is_late && has_sent(transfer))
        heap_update(&transfer->client->deadlines, &transfer->deadline, transfer->ends_ms);
    else
        end_late(transfer);
}

static void on_deadline(uv_timer_t *timer)
{
    struct transfer_client *client = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    transfer_client_hold(client);
    for (struct heap_node *first; (first = heap_first(&client->deadlines)) != NULL && first->key <= now_ms;)
        on_due(CONTAINER_OF(first, struct transfer, deadline), now_ms);
    if (!client->is_closing)
        arm(client);
    transfer_client_release(client);
}

/* start_ms: for as long it may begin. */
static void set_deadline(struct transfer *transfer, uint32_t timeout_ms, int64_t start_ms)
{
    struct transfer_client *client = transfer->client;
    uint64_t now_ms = clock_monotonic_ms(), grace_ms = transfer->kind == TRANSFER_KIND_MAIL ? MAIL_GRACE_MS : 0;
    transfer->ends_ms = now_ms + timeout_ms + grace_ms;
    bool is_short = start_ms < timeout_ms;
    heap_update(&client->deadlines, &transfer->deadline, is_short ? now_ms + (uint64_t)start_ms : transfer->ends_ms);
    if (heap_first(&client->deadlines) == &transfer->deadline)
        arm(client);
}

/* --- requests --- */

/* Milliseconds in which it may begin. */
static int64_t time_to_start(const struct transfer_request *request)
{
    int64_t left_ms = request->starts_until_ms == 0 ? INT64_MAX : request->starts_until_ms - clock_wall_ms();
    return left_ms > 0 ? left_ms : 0;
}

static void start_http(struct transfer *transfer, const struct transfer_request *request)
{
    struct strbuf key;
    strbuf_init(&key, 128);
    host_key(&key, request);
    transfer_easy_prepare(transfer, request);
    host_add(host_find(transfer->client, key.data), transfer);
    strbuf_finish(&key);
}

static void start_mail(struct transfer *transfer, const struct transfer_request *request)
{
    struct transfer_client *client = transfer->client;
    if (client->mailer == NULL)
        client->mailer = mailer_create(client);
    mailer_add(client->mailer, transfer, request);
}

struct transfer *transfer_start(struct transfer_client *client, const struct transfer_request *request,
                                transfer_done_cb *callback, void *context)
{
    ASSERT(!client->is_closing);
    enum transfer_kind kind = request->mail != NULL ? TRANSFER_KIND_MAIL
                              : request->is_foreign ? TRANSFER_KIND_FOREIGN
                                                    : TRANSFER_KIND_OWN;
    struct transfer *transfer = transfer_take(client, kind);
    transfer->callback = callback;
    transfer->context = context;
    transfer->is_ended = transfer->is_late = transfer->is_reply_full = false;
    transfer->has_refused_address = transfer->has_opened_socket = false;
    transfer->body_given = 0;
    transfer->problem[0] = '\0';
    strbuf_clear(&transfer->reply);
    list_append(&client->under_way, &transfer->node);
    client->under_way_count++;
    int64_t start_ms = time_to_start(request);
    set_deadline(transfer, request->timeout_ms, start_ms);
    if (start_ms > 0 && kind == TRANSFER_KIND_MAIL)
        start_mail(transfer, request);
    else if (start_ms > 0)
        start_http(transfer, request);
    return transfer;
}

static void stop(struct transfer *transfer)
{
    if (transfer->host != NULL)
        host_cancel(transfer->host, transfer);
    else if (transfer->job != NULL)
        mailer_cancel(transfer->client->mailer, transfer);
    leave(transfer);
    transfer_give_back(transfer);
}

void transfer_cancel(struct transfer **transfer_pointer)
{
    struct transfer *transfer = *transfer_pointer;
    *transfer_pointer = NULL;
    if (transfer != NULL && !transfer->is_ended)
        stop(transfer);
}

size_t transfer_count(const struct transfer_client *client)
{
    return client->under_way_count;
}

/* --- clients --- */

struct transfer_client *transfer_client_create(uv_loop_t *loop, const struct transfer_options *options,
                                               struct strbuf *error)
{
    if (options->ca_file[0] != '\0' && access(options->ca_file, R_OK) != 0) {
        strbuf_appendf(error, "provider_ca_file: %s cannot be read\n", options->ca_file);
        return NULL;
    }
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    transfer_resets_prepare();
    struct transfer_client *client = mem_alloc(sizeof(*client));
    client->loop = loop;
    client->ca_file = mem_strdup(options->ca_file);
    client->connections_per_host = options->connections_per_host;
    client->streams_per_connection = options->streams_per_connection;
    client->allows_private = options->allows_private;
    client->hosts = hashmap_create();
    list_init(&client->host_list);
    list_init(&client->under_way);
    for (int i = 0; i < TRANSFER_KIND_COUNT; i++)
        list_init(&client->idle[i]);
    heap_init(&client->deadlines);
    ASSERT(uv_timer_init(loop, &client->deadline_timer) == 0);
    client->deadline_timer.data = client;
    client->holds = 1; /* the timer */
    return client;
}

static void on_timer_closed(uv_handle_t *handle)
{
    transfer_client_release(handle->data);
}

void transfer_client_destroy(struct transfer_client **client_pointer)
{
    struct transfer_client *client = *client_pointer;
    *client_pointer = NULL;
    if (client == NULL)
        return;
    client->is_closing = true;
    transfer_client_hold(client);
    while (!list_is_empty(&client->under_way))
        stop(CONTAINER_OF(client->under_way.next, struct transfer, node));
    mailer_destroy(&client->mailer);
    for (int i = 0; i < TRANSFER_KIND_COUNT; i++)
        while (!list_is_empty(&client->idle[i])) {
            struct transfer *transfer = CONTAINER_OF(client->idle[i].next, struct transfer, node);
            list_remove(&transfer->node);
            transfer_destroy(transfer);
        }
    hosts_destroy(client);
    uv_close((uv_handle_t *)&client->deadline_timer, on_timer_closed);
    transfer_client_release(client);
}
