/* What is handed on to notifier: PUT and DELETE /v1/me/devices/{id}, POST /v1/callbacks/sms. */
#include <cjson/cJSON.h>
#include <strings.h>

#include "http_api_priv.h"
#include "proto/subjects.h"

#define FORM_TYPE "application/x-www-form-urlencoded"
#define SIGNATURE_MAX 256

/* The answer on success lies ready. */
static void on_reply(void *context, enum bus_status status, const struct bus_message *message)
{
    struct http_exchange *exchange = context;
    exchange->request = NULL;
    Hansom__NotifyReply *reply =
        status == BUS_OK ? hansom__notify_reply__unpack(NULL, message->length, message->data) : NULL;
    if (reply == NULL) {
        http_fail(exchange, ERROR_unavailable, "notifications are not available at the moment");
    } else if (*reply->error_code != '\0') {
        enum error_code code = error_code_from_name(reply->error_code);
        http_fail(exchange, code == ERROR_NONE ? ERROR_internal : code,
                  *reply->detail != '\0' ? reply->detail : "refused");
    } else {
        http_answer_soon(exchange, exchange->ready.status, exchange->ready.content_type);
    }
    hansom__notify_reply__free_unpacked(reply, NULL);
}

void http_put_device(struct http_exchange *exchange, const struct http_request *request)
{
    Hansom__DevicePut put;
    char error[160];
    cJSON *root = json_object_parse(request->body, request->body_length);
    if (device_put_decode(root, exchange->principal->user_id, exchange->id, &put, error, sizeof(error))) {
        struct json_writer json;
        json_writer_init(&json, &exchange->ready.body);
        device_put_write(&json, &put);
        exchange->ready.status = 200;
        exchange->ready.content_type = JSON_TYPE;
        http_ask(exchange, SUBJECT_RPC_NOTIFY_DEVICE_PUT, &put.base, on_reply);
    } else {
        http_fail(exchange, ERROR_bad_request, error);
    }
    device_put_finish(&put);
    cJSON_Delete(root);
}

void http_delete_device(struct http_exchange *exchange, const struct http_request *request)
{
    Hansom__DeviceDelete message = HANSOM__DEVICE_DELETE__INIT;
    (void)request;
    message.user_id = exchange->principal->user_id;
    message.device_id = exchange->id;
    exchange->ready.status = 204;
    http_ask(exchange, SUBJECT_RPC_NOTIFY_DEVICE_DELETE, &message.base, on_reply);
}

static bool is_form(const char *content_type)
{
    size_t length = strlen(FORM_TYPE);
    return content_type != NULL && strncasecmp(content_type, FORM_TYPE, length) == 0 &&
           strchr(" \t;", content_type[length]) != NULL;
}

/* Whether the signature is the provider's, only notifier can tell. */
void http_post_sms_status(struct http_exchange *exchange, const struct http_request *request)
{
    Hansom__SmsStatus message = HANSOM__SMS_STATUS__INIT;
    if (!is_form(request->content_type)) {
        http_fail(exchange, ERROR_bad_request, "content_type: must be " FORM_TYPE);
    } else if (request->body_length == 0 || memchr(request->body, '\0', request->body_length) != NULL) {
        http_fail(exchange, ERROR_bad_request, "body: must be a form");
    } else if (request->signature == NULL || strlen(request->signature) > SIGNATURE_MAX) {
        http_fail(exchange, ERROR_forbidden, "not signed");
    } else {
        message.body = (char *)request->body;
        message.signature = (char *)request->signature;
        exchange->ready.status = 204;
        http_ask(exchange, SUBJECT_RPC_NOTIFY_SMS_STATUS, &message.base, on_reply);
    }
}
