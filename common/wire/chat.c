/* Chat payloads, both ways. */
#include <math.h>
#include <stdio.h>

#include "wire/decode_priv.h"

#define URL_MAX 2048
#define CONTENT_TYPE_MAX 100
#define NAME_MAX_BYTES 255

/* --- in ----------------------------------------------------------------------------------------------------------- */

static bool decode_integer(struct decoder *decoder, const char *name, uint64_t *value_r)
{
    double value = 0;
    if (!decode_number(decoder, name, true, 1, SEQUENCE_MAX, &value))
        return false;
    *value_r = (uint64_t)value;
    return value == floor(value) || decode_fail(decoder, name, "must be an integer");
}

static void decode_content(struct decoder *decoder, bool may_be_empty, Hansom__ChatItem *item)
{
    const cJSON *content = decode_field(decoder, "content");
    if (content == NULL && may_be_empty)
        return;
    if (content == NULL) {
        decode_fail(decoder, "content", "missing");
        return;
    }
    size_t length = cJSON_IsString(content) ? strlen(content->valuestring) : 0;
    if (!cJSON_IsString(content) || length > CHAT_CONTENT_MAX || (length == 0 && !may_be_empty))
        decode_fail(decoder, "content", "must be a text of 1 to 16384 bytes");
    else
        item->content = content->valuestring;
}

static void decode_attachment(struct decoder *decoder, const cJSON *value, Hansom__ChatAttachment *attachment)
{
    const char *url = "", *content_type = "", *name = "";
    decoder->object = value;
    decode_string(decoder, "url", true, URL_MAX, &url);
    decode_string(decoder, "content_type", true, CONTENT_TYPE_MAX, &content_type);
    decode_string(decoder, "name", false, NAME_MAX_BYTES, &name);
    decode_integer(decoder, "size_bytes", &attachment->size_bytes);
    attachment->url = (char *)url;
    attachment->content_type = (char *)content_type;
    attachment->name = (char *)name;
}

static void decode_attachments(struct decoder *decoder, Hansom__ChatItem *item)
{
    const cJSON *list = decode_field(decoder, "attachments"), *value;
    if (list == NULL)
        return;
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
    if (count < 0 || count > CHAT_ATTACHMENTS_MAX) {
        decode_fail(decoder, "attachments", "must be an array of at most 10");
        return;
    }
    if (count == 0)
        return;
    item->attachments = mem_alloc((size_t)count * sizeof(*item->attachments));
    cJSON_ArrayForEach(value, list)
    {
        char prefix[40], name[32];
        snprintf(prefix, sizeof(prefix), "data.attachments[%zu].", item->n_attachments);
        snprintf(name, sizeof(name), "attachments[%zu]", item->n_attachments);
        if (!cJSON_IsObject(value)) {
            decode_fail(decoder, name, "must be an object");
            return;
        }
        struct decoder inner = *decoder;
        inner.prefix = prefix;
        Hansom__ChatAttachment *attachment = mem_alloc(sizeof(*attachment));
        hansom__chat_attachment__init(attachment);
        item->attachments[item->n_attachments++] = attachment;
        decode_attachment(&inner, value, attachment);
        decoder->has_failed = inner.has_failed;
    }
}

static void decode_message(struct decoder *decoder, Hansom__ChatItem *item)
{
    item->kind = HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE;
    decode_id(decoder, "message_id", false, &item->message_id);
    decode_id(decoder, "reply_to", false, &item->target_id);
    decode_attachments(decoder, item);
    decode_content(decoder, item->n_attachments > 0, item);
}

static void decode_edit(struct decoder *decoder, Hansom__ChatItem *item)
{
    item->kind = HANSOM__CHAT_KIND__CHAT_KIND_EDIT;
    decode_id(decoder, "message_id", true, &item->target_id);
    decode_content(decoder, false, item);
}

static void decode_delete(struct decoder *decoder, Hansom__ChatItem *item)
{
    item->kind = HANSOM__CHAT_KIND__CHAT_KIND_DELETE;
    decode_id(decoder, "message_id", true, &item->target_id);
}

static void decode_receipt(struct decoder *decoder, Hansom__ChatItem *item)
{
    const char *kind = NULL;
    item->kind = HANSOM__CHAT_KIND__CHAT_KIND_RECEIPT;
    if (decode_string(decoder, "kind", true, 16, &kind))
        item->receipt = receipt_kind_from_text(kind);
    if (kind != NULL && item->receipt == HANSOM__RECEIPT_KIND__RECEIPT_KIND_UNSPECIFIED)
        decode_fail(decoder, "kind", "must be delivered or read");
    decode_integer(decoder, "up_to_seq", &item->up_to_seq);
}

static void decode_typing(struct decoder *decoder, Hansom__ChatItem *item)
{
    const cJSON *typing = decode_field(decoder, "typing");
    item->kind = HANSOM__CHAT_KIND__CHAT_KIND_TYPING;
    if (!cJSON_IsBool(typing))
        decode_fail(decoder, "typing", typing == NULL ? "missing" : "must be true or false");
    item->typing = cJSON_IsTrue(typing);
}

static const struct {
    const char *type;
    void (*decode)(struct decoder *decoder, Hansom__ChatItem *item);
} chat_types[] = {
    {"chat_message", decode_message}, {"chat_edit", decode_edit},     {"chat_delete", decode_delete},
    {"chat_receipt", decode_receipt}, {"chat_typing", decode_typing},
};

static void decode_by_type(struct decoder *decoder, Hansom__ChatItem *item)
{
    const char *type = NULL;
    if (!decode_string(decoder, "type", true, 64, &type))
        return;
    for (size_t i = 0; i < ARRAY_LEN(chat_types); i++) {
        if (str_equal(chat_types[i].type, type)) {
            chat_types[i].decode(decoder, item);
            return;
        }
    }
    decode_fail(decoder, "type", "must be chat_message, chat_edit, chat_delete, chat_receipt or chat_typing");
}

bool chat_item_decode(const struct cJSON *data, const char *booking_id, Hansom__ChatItem *item_r, char *error,
                      size_t error_size)
{
    struct decoder decoder = {.object = data, .prefix = "data.", .error = error, .error_size = error_size};
    hansom__chat_item__init(item_r);
    if (!cJSON_IsObject(data)) {
        decoder.prefix = "";
        return decode_fail(&decoder, "data", "must be an object");
    }
    decode_must_match(&decoder, "booking_id", false, booking_id);
    decode_by_type(&decoder, item_r);
    if (decoder.has_failed)
        chat_item_finish(item_r);
    return !decoder.has_failed;
}

void chat_item_finish(Hansom__ChatItem *item)
{
    for (size_t i = 0; i < item->n_attachments; i++)
        mem_free(item->attachments[i]);
    mem_free(item->attachments);
    item->attachments = NULL;
    item->n_attachments = 0;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

/* To the other side everybody from the company is support. */
static const char *visible_role(Hansom__Role role)
{
    return role_text(role == HANSOM__ROLE__ROLE_ADMIN ? HANSOM__ROLE__ROLE_SUPPORT : role);
}

static void begin_item(struct json_writer *json, const char *type, const Hansom__ChatItem *item, const char *message_id)
{
    json_begin_object(json);
    json_kv_string(json, "type", type);
    json_kv_string(json, "booking_id", item->booking_id);
    if (visible_role(item->from_role) != NULL) {
        json_kv_string(json, "from_role", visible_role(item->from_role));
        json_kv_string(json, "from_id", item->from_id);
    }
    json_kv_string(json, "message_id", message_id);
}

static void write_attachments(struct json_writer *json, const Hansom__ChatItem *item)
{
    json_key(json, "attachments");
    json_begin_array(json);
    for (size_t i = 0; i < item->n_attachments; i++) {
        const Hansom__ChatAttachment *attachment = item->attachments[i];
        json_begin_object(json);
        json_kv_string(json, "url", attachment->url);
        json_kv_string(json, "content_type", attachment->content_type);
        json_kv_uint(json, "size_bytes", attachment->size_bytes);
        if (*attachment->name != '\0')
            json_kv_string(json, "name", attachment->name);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_message(struct json_writer *json, const Hansom__ChatItem *item, int64_t edited_at_ms,
                          int64_t deleted_at_ms)
{
    begin_item(json, "chat_message", item, item->message_id);
    json_kv_string(json, "content", deleted_at_ms > 0 ? "" : item->content);
    json_kv_time(json, "sent_at", item->sent_at_ms);
    if (*item->target_id != '\0')
        json_kv_string(json, "reply_to", item->target_id);
    if (item->n_attachments > 0 && deleted_at_ms == 0)
        write_attachments(json, item);
    if (edited_at_ms > 0 && deleted_at_ms == 0)
        json_kv_time(json, "edited_at", edited_at_ms);
    if (deleted_at_ms > 0)
        json_kv_time(json, "deleted_at", deleted_at_ms);
    json_end_object(json);
}

static void write_change(struct json_writer *json, const Hansom__ChatItem *item)
{
    bool is_edit = item->kind == HANSOM__CHAT_KIND__CHAT_KIND_EDIT;
    begin_item(json, is_edit ? "chat_edit" : "chat_delete", item, item->target_id);
    if (is_edit)
        json_kv_string(json, "content", item->content);
    json_kv_time(json, "sent_at", item->sent_at_ms);
    json_end_object(json);
}

static void write_system(struct json_writer *json, const Hansom__ChatItem *item)
{
    begin_item(json, "chat_system", item, item->message_id);
    json_kv_string(json, "event", chat_event_text(item->event));
    if (booking_status_text(item->status) != NULL)
        json_kv_string(json, "status", booking_status_text(item->status));
    json_kv_time(json, "sent_at", item->sent_at_ms);
    json_end_object(json);
}

static void write_receipt(struct json_writer *json, const Hansom__ChatItem *item)
{
    json_begin_object(json);
    json_kv_string(json, "type", "chat_receipt");
    json_kv_string(json, "kind", receipt_kind_text(item->receipt));
    json_kv_uint(json, "up_to_seq", item->up_to_seq);
    json_kv_string(json, "from_id", item->from_id);
    json_end_object(json);
}

static void write_typing(struct json_writer *json, const Hansom__ChatItem *item)
{
    json_begin_object(json);
    json_kv_string(json, "type", "chat_typing");
    json_kv_string(json, "from_id", item->from_id);
    json_kv_bool(json, "typing", item->typing);
    json_end_object(json);
}

void chat_item_write(struct json_writer *json, const Hansom__ChatItem *item)
{
    switch (item->kind) {
    case HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE:
        write_message(json, item, 0, 0);
        break;
    case HANSOM__CHAT_KIND__CHAT_KIND_EDIT:
    case HANSOM__CHAT_KIND__CHAT_KIND_DELETE:
        write_change(json, item);
        break;
    case HANSOM__CHAT_KIND__CHAT_KIND_SYSTEM:
        write_system(json, item);
        break;
    case HANSOM__CHAT_KIND__CHAT_KIND_RECEIPT:
        write_receipt(json, item);
        break;
    case HANSOM__CHAT_KIND__CHAT_KIND_TYPING:
        write_typing(json, item);
        break;
    case HANSOM__CHAT_KIND__CHAT_KIND_UNSPECIFIED:
    default:
        json_null(json); /* from a newer version of a service */
        break;
    }
}

void stored_chat_item_write(struct json_writer *json, const Hansom__StoredChatItem *stored)
{
    if (stored->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE)
        write_message(json, stored->item, stored->edited_at_ms, stored->deleted_at_ms);
    else
        chat_item_write(json, stored->item);
}

void epoch_format(uint64_t epoch, char text[EPOCH_TEXT_SIZE])
{
    snprintf(text, EPOCH_TEXT_SIZE, "%llx", (unsigned long long)epoch);
}

uint64_t epoch_parse(const char *text)
{
    size_t length = text == NULL ? 0 : strspn(text, "0123456789abcdef");
    if (length == 0 || length >= EPOCH_TEXT_SIZE || text[length] != '\0')
        return 0;
    return strtoull(text, NULL, 16);
}
