#include "wire/wire.h"

static const struct error_row {
    const char *name;
    int http_status;
    const char *title;
} error_rows[] = {
    [ERROR_NONE] = {"none", 200, ""},
#define ERROR_CODE(name, http_status, may_retry, title) [ERROR_##name] = {#name, http_status, title},
#include "wire/errors.def"
#undef ERROR_CODE
};

static const struct close_row {
    int code;
    bool reconnects;
} close_rows[] = {
#define CLOSE_CODE(name, code, reconnect, is_error) [CLOSE_##name] = {code, reconnect},
#include "wire/close_codes.def"
#undef CLOSE_CODE
};

const char *const close_reason_names[] = {
#define CLOSE_CODE(name, code, reconnect, is_error) #name,
#include "wire/close_codes.def"
#undef CLOSE_CODE
    NULL};

const char *error_code_name(enum error_code code)
{
    return error_rows[code].name;
}

int error_code_http_status(enum error_code code)
{
    return error_rows[code].http_status;
}

enum error_code error_code_from_name(const char *name)
{
    for (size_t i = 1; i < ARRAY_LEN(error_rows); i++)
        if (str_equal(error_rows[i].name, name))
            return (enum error_code)i;
    return ERROR_NONE;
}

const char *close_reason_name(enum close_reason reason)
{
    return close_reason_names[reason];
}

int close_reason_code(enum close_reason reason)
{
    return close_rows[reason].code;
}

bool close_reason_reconnects(enum close_reason reason)
{
    return close_rows[reason].reconnects;
}

void problem_write(struct strbuf *out, enum error_code code, int status, const char *detail, const char *request_id,
                   uint64_t retry_after_ms)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_key(&json, "type");
    struct strbuf type;
    strbuf_init(&type, 64);
    strbuf_appendf(&type, "urn:hansom:problem:%s", error_rows[code].name);
    json_string(&json, type.data);
    strbuf_finish(&type);
    json_kv_string(&json, "title", error_rows[code].title);
    json_kv_int(&json, "status", status > 0 ? status : error_rows[code].http_status);
    json_kv_string(&json, "detail", detail);
    json_kv_string(&json, "code", error_rows[code].name);
    if (request_id != NULL)
        json_kv_string(&json, "request_id", request_id);
    if (retry_after_ms > 0)
        json_kv_uint(&json, "retry_after_ms", retry_after_ms);
    json_end_object(&json);
}
