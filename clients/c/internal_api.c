#include "internal_api.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "base/file.h"
#include "base/json_writer.h"

#define TIMEOUT_MS 15000L
#define CONNECT_TIMEOUT_MS 3000L

void internal_api_defaults(struct internal_api *api)
{
    const char *url = getenv("HANSOM_INTERNAL"), *key_file = getenv("HANSOM_API_KEY_FILE");
    api->url = url != NULL ? url : "http://127.0.0.1:8090";
    api->api_key_file = key_file != NULL ? key_file : "var/secrets/api_key";
}

static size_t on_body(char *bytes, size_t size, size_t count, void *answer)
{
    strbuf_append(answer, bytes, size * count);
    return size * count;
}

static bool read_key(const char *path, struct strbuf *header, char **error_r)
{
    struct strbuf content;
    strbuf_init(&content, 128);
    bool is_read = file_read(path, &content, error_r);
    if (is_read) {
        content.data[strcspn(content.data, "\r\n")] = '\0';
        strbuf_appendf(header, "Authorization: Bearer %s", content.data);
    }
    strbuf_finish(&content);
    return is_read;
}

static struct curl_slist *make_headers(const char *key_file, bool has_body, char **error_r)
{
    struct strbuf authorization;
    strbuf_init(&authorization, 128);
    struct curl_slist *headers = NULL;
    if (read_key(key_file, &authorization, error_r)) {
        headers = curl_slist_append(NULL, authorization.data);
        if (has_body)
            headers = curl_slist_append(headers, "Content-Type: application/json");
    }
    strbuf_finish(&authorization);
    return headers;
}

static long perform(CURL *curl, const char *url, char **error_r)
{
    char reason[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        return status;
    }
    struct strbuf text;
    strbuf_init(&text, 256);
    strbuf_appendf(&text, "%s: %s", url, *reason != '\0' ? reason : curl_easy_strerror(code));
    *error_r = strbuf_take(&text);
    strbuf_finish(&text);
    return 0;
}

long internal_api_call(const struct internal_api *api, const char *method, const char *path, const char *body,
                       struct strbuf *answer, char **error_r)
{
    struct curl_slist *headers = make_headers(api->api_key_file, body != NULL, error_r);
    if (headers == NULL)
        return 0;
    struct strbuf url;
    strbuf_init(&url, 256);
    strbuf_appendf(&url, "%s%s", api->url, path);
    CURL *curl = curl_easy_init();
    ASSERT(curl != NULL);
    curl_easy_setopt(curl, CURLOPT_URL, url.data);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (body != NULL)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    long status = perform(curl, url.data, error_r);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    strbuf_finish(&url);
    return status;
}

/* mem_free */
static char *failure_text(long status, const struct strbuf *answer, const char *error)
{
    if (status == 0)
        return mem_strdup(error);
    struct strbuf text;
    strbuf_init(&text, 128);
    cJSON *problem = cJSON_ParseWithLength(answer->data, answer->length);
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "detail"));
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "code"));
    strbuf_appendf(&text, "HTTP %ld %s: %s", status, code != NULL ? code : "", detail != NULL ? detail : "");
    cJSON_Delete(problem);
    return text.data;
}

void internal_api_print_failure(long status, const struct strbuf *answer, const char *error)
{
    char *text = failure_text(status, answer, error);
    fprintf(stderr, "hansom: %s\n", text);
    mem_free(text);
}

static void write_session(const struct internal_session *session, struct strbuf *body)
{
    struct json_writer json;
    json_writer_init(&json, body);
    json_begin_object(&json);
    json_kv_string(&json, "user_id", session->user);
    json_kv_string(&json, "role", session->role);
    json_kv_string(&json, "platform", session->platform);
    if (session->ttl_s > 0)
        json_kv_int(&json, "ttl_s", session->ttl_s);
    json_end_object(&json);
}

char *internal_api_open_session(const struct internal_api *api, const struct internal_session *session, char **error_r)
{
    struct strbuf body, answer;
    char *error = NULL, *token = NULL;
    strbuf_init(&body, 128);
    strbuf_init(&answer, 1024);
    write_session(session, &body);
    long status = internal_api_call(api, "POST", "/v1/sessions", body.data, &answer, &error);
    cJSON *root = status == 201 ? cJSON_ParseWithLength(answer.data, answer.length) : NULL;
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "access_token"));
    if (text != NULL)
        token = mem_strdup(text);
    else
        *error_r = failure_text(status, &answer, error);
    cJSON_Delete(root);
    mem_free(error);
    strbuf_finish(&body);
    strbuf_finish(&answer);
    return token;
}
