#include "http/exchange.h"

#include <cjson/cJSON.h>

#include "http/http_server.h"

#define RETRY_AFTER_MS 1000

struct exchange_block {
    struct exchange_block *next;
    max_align_t bytes[];
};

void *exchange_alloc(struct exchange *exchange, size_t size_bytes)
{
    struct exchange_block *block = mem_alloc(sizeof(*block) + size_bytes);
    block->next = exchange->blocks;
    exchange->blocks = block;
    return block->bytes;
}

char *exchange_strdup(struct exchange *exchange, const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(exchange_alloc(exchange, size), string, size);
}

struct exchange *exchange_create(struct http_server *server, struct MHD_Connection *connection)
{
    struct exchange *exchange = mem_alloc(sizeof(*exchange));
    exchange->server = server;
    exchange->connection = connection;
    strbuf_init(&exchange->body, 256);
    strbuf_init(&exchange->answer, 512);
    list_init(&exchange->node);
    return exchange;
}

void exchange_destroy(struct exchange **exchange_pointer)
{
    struct exchange *exchange = *exchange_pointer;
    *exchange_pointer = NULL;
    cJSON_Delete(exchange->json);
    strbuf_finish(&exchange->body);
    strbuf_finish(&exchange->answer);
    while (exchange->blocks != NULL) {
        struct exchange_block *block = exchange->blocks;
        exchange->blocks = block->next;
        mem_free(block);
    }
    mem_free(exchange);
}

void exchange_set_failure(struct exchange *exchange, enum error_code code, const char *detail)
{
    strbuf_clear(&exchange->answer);
    problem_write(&exchange->answer, code, 0, detail, exchange->request_id, exchange->retry_after_ms);
    exchange->content_type = "application/problem+json";
    exchange->status = (unsigned)error_code_http_status(code);
}

static void finish(struct exchange *exchange)
{
    void (*before_send)(struct exchange *) = exchange->before_send;
    exchange->before_send = NULL;
    if (before_send != NULL)
        before_send(exchange);
    else
        exchange_send(exchange);
}

void exchange_reply(struct exchange *exchange, unsigned status)
{
    exchange->status = status;
    exchange->content_type = "application/json";
    finish(exchange);
}

void exchange_fail(struct exchange *exchange, enum error_code code, const char *detail)
{
    exchange_set_failure(exchange, code, detail);
    finish(exchange);
}

void exchange_unavailable(struct exchange *exchange, const char *detail)
{
    exchange->retry_after_ms = RETRY_AFTER_MS;
    exchange_fail(exchange, ERROR_unavailable, detail);
}
