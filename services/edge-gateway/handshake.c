#include "handshake.h"

#include <libwebsockets.h>
#include <strings.h>

#include "base/clock.h"
#include "log/log.h"

#define WS_PATH "/v1/ws"
#define PROTOCOL_NAME "hansom.v1.json"
#define ANSWER_HEADER_BYTES 1024

/* NULL if it is absent; mem_free. */
static char *header(struct lws *wsi, enum lws_token_indexes token)
{
    int length = lws_hdr_total_length(wsi, token);
    if (length <= 0)
        return NULL;
    char *value = mem_alloc((size_t)length + 1);
    if (lws_hdr_copy(wsi, value, length + 1, token) < 0) {
        mem_free(value);
        return NULL;
    }
    return value;
}

char *handshake_bearer_header(struct lws *wsi)
{
    char *value = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
    char *token = NULL;
    if (value != NULL && strncasecmp(value, "Bearer ", 7) == 0)
        token = mem_strdup(value + 7 + strspn(value + 7, " "));
    mem_free(value);
    return token;
}

bool handshake_has_body(struct lws *wsi)
{
    char *length = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    bool has_body = length != NULL && length[strspn(length, "0 ")] != '\0';
    mem_free(length);
    return has_body;
}

char *handshake_content_type(struct lws *wsi)
{
    return header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE);
}

char *handshake_signature(struct lws *wsi)
{
    static const char name[] = "x-twilio-signature:";
    int length = lws_hdr_custom_length(wsi, name, (int)strlen(name));
    if (length <= 0)
        return NULL;
    char *value = mem_alloc((size_t)length + 1);
    if (lws_hdr_custom_copy(wsi, value, length + 1, name, (int)strlen(name)) < 0) {
        mem_free(value);
        return NULL;
    }
    return value;
}

static bool is_ours(const char *offer)
{
    size_t length = strcspn(offer, " \t");
    return length == strlen(PROTOCOL_NAME) && strncmp(offer, PROTOCOL_NAME, length) == 0;
}

static bool offers_ours(struct lws *wsi)
{
    char *offers = header(wsi, WSI_TOKEN_PROTOCOL);
    bool is_found = false;
    for (char *cursor = offers, *offer; cursor != NULL && !is_found && (offer = strsep(&cursor, ",")) != NULL;) {
        offer += strspn(offer, " \t");
        is_found = is_ours(offer);
    }
    mem_free(offers);
    return is_found;
}

const char *handshake_method(struct lws *wsi, char *path, size_t size)
{
    static const struct {
        enum lws_token_indexes token;
        const char *name;
    } methods[] = {{WSI_TOKEN_GET_URI, "GET"},       {WSI_TOKEN_POST_URI, "POST"},   {WSI_TOKEN_PUT_URI, "PUT"},
                   {WSI_TOKEN_DELETE_URI, "DELETE"}, {WSI_TOKEN_PATCH_URI, "PATCH"}, {WSI_TOKEN_OPTIONS_URI, "OPTIONS"},
                   {WSI_TOKEN_HEAD_URI, "HEAD"}};
    *path = '\0';
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (lws_hdr_total_length(wsi, methods[i].token) <= 0)
            continue;
        if (lws_hdr_copy(wsi, path, (int)size, methods[i].token) < 0)
            *path = '\0'; /* longer than any of ours */
        return methods[i].name;
    }
    return "?";
}

bool handshake_query(struct lws *wsi, size_t index, char *text, size_t size)
{
    return lws_hdr_copy_fragment(wsi, text, (int)size, WSI_TOKEN_HTTP_URI_ARGS, (int)index) > 0;
}

/* --- the check ---------------------------------------------------------------------------------------------------- */

static bool origin_allowed(const struct gateway *gateway, struct lws *wsi)
{
    char *origin = header(wsi, WSI_TOKEN_ORIGIN);
    bool is_allowed = *gateway->settings->allowed_origins == '\0' || origin == NULL; /* apps send none */
    char *list = mem_strdup(gateway->settings->allowed_origins);
    for (char *cursor = list, *item; !is_allowed && (item = strsep(&cursor, ",")) != NULL;)
        is_allowed = str_equal(item + strspn(item, " "), origin);
    mem_free(list);
    mem_free(origin);
    return is_allowed;
}

static bool has_secret_in_url(struct lws *wsi)
{
    static const char *const names[] = {"token=", "access_token=", "jwt=", "ticket="};
    char value[64];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (lws_get_urlarg_by_name(wsi, names[i], value, sizeof(value)) != NULL)
            return true;
    return false;
}

static bool token_is_good(struct gateway *gateway, struct lws *wsi)
{
    char *token = handshake_bearer_header(wsi);
    if (token == NULL)
        return true; /* it comes in the connect frame */
    const char *why;
    struct principal *principal =
        token_cache_verify(gateway->tokens, gateway->keys, token, strlen(token), clock_wall_ms(), &why);
    mem_free(token);
    if (principal == NULL)
        LOG_INFO("token_refused", LOG_STR("why", why));
    bool is_good = principal != NULL;
    principal_unref(&principal);
    return is_good;
}

static bool refuse(enum error_code code, const char *detail, enum error_code *code_r, const char **detail_r)
{
    *code_r = code;
    *detail_r = detail;
    return false;
}

bool handshake_check(struct gateway *gateway, struct lws *wsi, enum error_code *code_r, const char **detail_r)
{
    char path[256];
    handshake_method(wsi, path, sizeof(path));
    if (!str_equal(path, WS_PATH))
        return refuse(ERROR_not_found, "there is no such route", code_r, detail_r);
    if (service_is_draining(gateway->service))
        return refuse(ERROR_unavailable, "draining", code_r, detail_r);
    if (!origin_allowed(gateway, wsi))
        return refuse(ERROR_forbidden, "origin: not allowed", code_r, detail_r);
    if (has_secret_in_url(wsi) || !token_is_good(gateway, wsi)) {
        metrics_add(gateway->metrics, METRIC_GATEWAY_CONNECTS, platform_label(NULL), CONNECT_UNAUTHORIZED, 1);
        return refuse(ERROR_unauthorized, "a valid token is needed", code_r, detail_r);
    }
    if (lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) > 0 && !offers_ours(wsi))
        return refuse(ERROR_bad_request, "subprotocol: only " PROTOCOL_NAME " is offered", code_r, detail_r);
    return true;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* An answer without a body says nothing of its length (RFC 9110 8.6). */
static int write_first_headers(struct lws *wsi, const struct http_answer *answer, unsigned char **at,
                               unsigned char *end)
{
    if (answer->status == 204)
        return lws_add_http_header_status(wsi, 204, at, end);
    return lws_add_http_common_headers(wsi, (unsigned)answer->status, answer->content_type, answer->body.length, at,
                                       end);
}

static bool write_headers(struct lws *wsi, const struct http_answer *answer)
{
    unsigned char buffer[LWS_PRE + ANSWER_HEADER_BYTES], *start = buffer + LWS_PRE, *at = start;
    unsigned char *end = buffer + sizeof(buffer) - 1;
    char retry[24];
    int failed = write_first_headers(wsi, answer, &at, end);
    if (answer->status == 401)
        failed |= lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_WWW_AUTHENTICATE, (const unsigned char *)"Bearer", 6,
                                               &at, end);
    if (answer->status == 405)
        failed |=
            lws_add_http_header_by_name(wsi, (const unsigned char *)"allow:", (const unsigned char *)answer->allow,
                                        (int)strlen(answer->allow), &at, end);
    if (answer->retry_after_s > 0) {
        int length = snprintf(retry, sizeof(retry), "%llu", (unsigned long long)answer->retry_after_s);
        failed |= lws_add_http_header_by_name(wsi, (const unsigned char *)"retry-after:", (unsigned char *)retry,
                                              length, &at, end);
    }
    failed |= lws_add_http_header_by_name(
        wsi, (const unsigned char *)"cache-control:", (const unsigned char *)"no-store", 8, &at, end);
    return failed == 0 && lws_finalize_write_http_header(wsi, start, &at, end) == 0;
}

bool handshake_write_answer(struct lws *wsi, const struct http_answer *answer)
{
    if (!write_headers(wsi, answer))
        return false;
    if (answer->body.length == 0)
        return true;
    unsigned char *copy = mem_alloc(LWS_PRE + answer->body.length);
    memcpy(copy + LWS_PRE, answer->body.data, answer->body.length);
    int written = lws_write(wsi, copy + LWS_PRE, answer->body.length, LWS_WRITE_HTTP_FINAL);
    mem_free(copy);
    return written >= 0;
}

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } rows[] = {{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].status == status)
            return rows[i].phrase;
    return "Service Unavailable";
}

void handshake_refuse(struct lws *wsi, const struct http_answer *answer)
{
    struct strbuf text;
    strbuf_init(&text, LWS_PRE + ANSWER_HEADER_BYTES);
    memset(strbuf_reserve(&text, LWS_PRE), 0, LWS_PRE);
    strbuf_grown(&text, LWS_PRE);
    strbuf_appendf(&text, "HTTP/1.1 %d %s\r\n", answer->status, reason_phrase(answer->status));
    strbuf_appendf(&text, "Content-Type: %s\r\nContent-Length: %zu\r\n", answer->content_type, answer->body.length);
    if (answer->status == 401)
        strbuf_append_string(&text, "WWW-Authenticate: Bearer\r\n");
    if (answer->retry_after_s > 0)
        strbuf_appendf(&text, "Retry-After: %llu\r\n", (unsigned long long)answer->retry_after_s);
    strbuf_append_string(&text, "Connection: close\r\nCache-Control: no-store\r\n\r\n");
    strbuf_append(&text, answer->body.data, answer->body.length);
    if (lws_write(wsi, (unsigned char *)text.data + LWS_PRE, text.length - LWS_PRE, LWS_WRITE_HTTP_FINAL) < 0)
        LOG_DEBUG("refusal_not_sent");
    strbuf_finish(&text);
}
