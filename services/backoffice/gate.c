#include "gate.h"

#include "auth/auth.h"
#include "backoffice.h"
#include "base/file.h"
#include "base/utf8.h"
#include "core/query.h"
#include "idempotency.h"
#include "log/log.h"
#include "routes.h"
#include "wire/wire.h"

#define API_KEYS_MAX 32
#define API_KEY_LENGTH_MIN 16

/* --- API keys ----------------------------------------------------------------------------------------------------- */

struct api_keys {
    char *keys[API_KEYS_MAX];
    size_t count;
};

static bool fail_keys(const char *path, const char *what, char **error_r)
{
    struct strbuf text;
    strbuf_init(&text, 128);
    strbuf_appendf(&text, "%s: %s", path, what);
    *error_r = strbuf_take(&text);
    strbuf_finish(&text);
    return false;
}

static bool take_line(struct api_keys *keys, const char *path, char *line, char **error_r)
{
    line[strcspn(line, "\r")] = '\0';
    if (*line == '\0' || *line == '#')
        return true;
    if (strlen(line) < API_KEY_LENGTH_MIN)
        return fail_keys(path, "a key must have at least 16 characters", error_r);
    if (keys->count == API_KEYS_MAX)
        return fail_keys(path, "holds more than 32 keys", error_r);
    keys->keys[keys->count++] = mem_strdup(line);
    return true;
}

static bool take_lines(struct api_keys *keys, const char *path, char *text, char **error_r)
{
    for (char *line; (line = strsep(&text, "\n")) != NULL;)
        if (!take_line(keys, path, line, error_r))
            return false;
    return keys->count > 0 || fail_keys(path, "holds no key", error_r);
}

static bool read_keys(struct api_keys *keys, const char *path, char **error_r)
{
    struct strbuf content;
    strbuf_init(&content, 256);
    bool is_good = file_read(path, &content, error_r);
    size_t length = content.length;
    if (is_good)
        is_good = take_lines(keys, path, content.data, error_r);
    explicit_bzero(content.data, length);
    strbuf_finish(&content);
    return is_good;
}

struct api_keys *api_keys_load(const char *path, char **error_r)
{
    struct api_keys *keys = mem_alloc(sizeof(*keys));
    if (!read_keys(keys, path, error_r))
        api_keys_destroy(&keys);
    return keys;
}

void api_keys_destroy(struct api_keys **keys_pointer)
{
    struct api_keys *keys = *keys_pointer;
    *keys_pointer = NULL;
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        explicit_bzero(keys->keys[i], strlen(keys->keys[i]));
        mem_free(keys->keys[i]);
    }
    mem_free(keys);
}

bool api_keys_accept(const struct api_keys *keys, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
        return false;
    const char *given = authorization + strlen(scheme);
    bool is_known = false;
    for (size_t i = 0; i < keys->count; i++)
        is_known |= secret_equal(keys->keys[i], given);
    return is_known;
}

/* --- before the body: HTTP thread --------------------------------------------------------------------------------- */

static void refuse_method(struct exchange *exchange)
{
    exchange->is_refused = true;
    exchange->status = 405;
    exchange->content_type = "application/problem+json";
    problem_write_method(&exchange->answer, exchange->request_id);
}

static bool may_call(const struct backoffice *app, const struct exchange *exchange, const struct route *route)
{
    switch (route->auth) {
    case AUTH_NONE:
        return true;
    case AUTH_API_KEY:
        return api_keys_accept(app->secrets.api_keys, http_header(exchange, "Authorization"));
    }
    return false;
}

static bool idempotency_key_is_good(const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < length; i++)
        if (key[i] < ' ' || key[i] > '~')
            return false;
    return length > 0 && length <= IDEMPOTENCY_KEY_MAX;
}

static void take_idempotency_key(struct exchange *exchange)
{
    const char *key = http_header(exchange, "Idempotency-Key");
    if (key == NULL || !exchange->route->is_idempotent)
        return;
    if (idempotency_key_is_good(key))
        ASSERT(str_copy(exchange->idempotency_key, sizeof(exchange->idempotency_key), key));
    else
        http_refuse(exchange, ERROR_bad_request, "Idempotency-Key: must be 1 to 255 printable ASCII characters");
}

static bool take_parameter(void *context, const char *name, size_t name_length, const char *value, size_t value_length)
{
    struct exchange *exchange = context;
    char error[160];
    if (query_add(exchange->query, exchange->route->query, name, name_length, value, value_length, error,
                  sizeof(error)))
        return true;
    http_refuse(exchange, ERROR_bad_request, error);
    return false;
}

static void take_query(struct exchange *exchange)
{
    if (*exchange->route->query == '\0')
        return;
    exchange->query = exchange_alloc(exchange, sizeof(*exchange->query));
    http_query_each(exchange, take_parameter, exchange);
}

void gate_admit(void *context, struct exchange *exchange, const char *method, const char *path)
{
    const struct backoffice *app = context;
    const struct route *route = NULL;
    enum route_outcome outcome =
        route_find(method, path, &route, exchange->id, exchange->allow, sizeof(exchange->allow));
    if (outcome == ROUTE_UNKNOWN) {
        http_refuse(exchange, ERROR_not_found, "there is no such route");
        return;
    }
    if (outcome == ROUTE_WRONG_METHOD) {
        refuse_method(exchange);
        return;
    }
    exchange->allow[0] = '\0';
    exchange->route = route;
    if (!may_call(app, exchange, route))
        http_refuse(exchange, ERROR_unauthorized, "Authorization: a valid key is needed");
    else if (outcome == ROUTE_WRONG_ID)
        http_refuse(exchange, ERROR_bad_request, "id: must be 1 to 64 of A-Z a-z 0-9 _ -");
    else
        take_query(exchange);
    if (!exchange->is_refused)
        take_idempotency_key(exchange);
}

/* --- the whole request: loop thread ------------------------------------------------------------------------------- */

static bool read_json(struct exchange *exchange)
{
    const struct strbuf *body = &exchange->body;
    if (utf8_is_valid(body->data, body->length))
        exchange->json = json_object_parse(body->data, body->length);
    if (exchange->json != NULL)
        return true;
    exchange_fail(exchange, ERROR_bad_request, "body: must be one JSON object");
    return false;
}

void gate_handle(void *context, struct exchange *exchange)
{
    struct backoffice *app = context;
    const struct route *route = exchange->route;
    if (route->body_limit_bytes > 0 && !read_json(exchange))
        return;
    if (*exchange->idempotency_key != '\0')
        idempotency_guard(app, exchange, route->handle);
    else
        route->handle(app, exchange);
}

/* --- the answer: either thread ------------------------------------------------------------------------------------ */

void gate_note_answer(void *context, const struct exchange *exchange, double seconds)
{
    const struct backoffice *app = context;
    unsigned index = exchange->route == NULL ? ROUTE_COUNT : (unsigned)(exchange->route - routes);
    metrics_add(app->metrics, METRIC_BACKOFFICE_REQUESTS, index, status_class(exchange->status), 1);
    metrics_observe(app->metrics, METRIC_BACKOFFICE_REQUEST_SECONDS, index, 0, seconds);
    LOG_AT(exchange->status >= 500 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "request", LOG_STR("route", route_names[index]),
           LOG_INT("status", exchange->status), LOG_STR("request_id", exchange->request_id),
           LOG_DOUBLE("seconds", seconds));
}
