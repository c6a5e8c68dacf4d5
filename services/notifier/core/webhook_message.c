#include "core/webhook_message.h"

#include "base/json_writer.h"
#include "core/crypto_text.h"

#define SECRET_PREFIX "whsec_"

void webhook_body_build(struct strbuf *out, const struct notice *notice)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_kv_string(&json, "type", notice->type);
    json_kv_time(&json, "timestamp", notice->created_ms);
    json_key(&json, "data");
    json_begin_object(&json);
    json_kv_string(&json, "event_id", notice->event_id);
    json_kv_string(&json, "user_id", notice->user_id);
    json_kv_bool(&json, "critical", notice->is_critical);
    json_kv_time(&json, "expires_at", notice->expires_ms);
    json_kv_string(&json, "title", notice->title);
    json_kv_string(&json, "body", notice->body);
    json_key(&json, "event");
    json_raw(&json, notice->data_json, strlen(notice->data_json));
    json_end_object(&json);
    json_end_object(&json);
}

void webhook_key(struct strbuf *out, const char *secret)
{
    size_t prefix = strlen(SECRET_PREFIX);
    bool is_encoded = strncmp(secret, SECRET_PREFIX, prefix) == 0;
    if (!is_encoded || !base64_decode(out, secret + prefix, strlen(secret) - prefix))
        strbuf_append_string(out, secret);
}

void webhook_sign(struct strbuf *out, const struct strbuf *key, const char *id, int64_t timestamp_s,
                  const struct strbuf *body)
{
    struct strbuf text;
    strbuf_init(&text, body->length + 64);
    strbuf_appendf(&text, "%s.%lld.", id, (long long)timestamp_s);
    strbuf_append(&text, body->data, body->length);
    strbuf_append_string(out, "v1,");
    hmac_base64_append(out, "SHA256", key->data, key->length, text.data, text.length);
    strbuf_finish(&text);
}

void webhook_headers_build(struct header_list *headers, const struct notice *notice, const struct strbuf *key,
                           const struct strbuf *body, int64_t now_ms)
{
    char uuid[DELIVERY_UUID_SIZE];
    struct strbuf signature;
    strbuf_init(&signature, 64);
    delivery_uuid(notice->delivery_id, uuid);
    webhook_sign(&signature, key, uuid, now_ms / 1000, body);
    header_add(headers, "content-type", "application/json");
    header_add(headers, "webhook-id", uuid);
    header_add_int(headers, "webhook-timestamp", now_ms / 1000);
    header_add(headers, "webhook-signature", signature.data);
    strbuf_finish(&signature);
}
