/* Chat payloads from clients (JSON) and chat items from the bus (protobuf): decoded, and written again as JSON. */
#include <cjson/cJSON.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_item(const Hansom__ChatItem *item)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 256);
    json_writer_init(&json, &text);
    chat_item_write(&json, item);
    strbuf_finish(&text);
}

static void decode_json(const cJSON *root)
{
    Hansom__ChatItem item;
    char error[160] = "";
    if (!chat_item_decode(root, "b", &item, error, sizeof(error))) {
        ASSERT(*error != '\0');
        return;
    }
    ASSERT(item.kind != HANSOM__CHAT_KIND__CHAT_KIND_SYSTEM && item.n_attachments <= CHAT_ATTACHMENTS_MAX);
    ASSERT(strlen(item.content) <= CHAT_CONTENT_MAX);
    item.booking_id = "b";
    write_item(&item);
    chat_item_finish(&item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *root = cJSON_ParseWithLength((const char *)data, size);
    if (root != NULL)
        decode_json(root);
    cJSON_Delete(root);
    Hansom__ChatItem *item = hansom__chat_item__unpack(NULL, size, data);
    if (item != NULL)
        write_item(item);
    hansom__chat_item__free_unpacked(item, NULL);
    return 0;
}
