/* Payloads from clients (JSON) and from the bus (protobuf): decoded, checked, written again as JSON that parses. */
#include <cjson/cJSON.h>
#include <math.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_json(const cJSON *root)
{
    Hansom__LocationBatch batch;
    Hansom__Heartbeat beat;
    char error[160] = "";
    if (location_decode(root, "b", "d", &batch, error, sizeof(error))) {
        for (size_t i = 0; i < batch.n_fixes; i++)
            ASSERT(fabs(batch.fixes[i]->lat) <= 90 && fabs(batch.fixes[i]->lng) <= 180 &&
                   (i == 0 || batch.fixes[i - 1]->timestamp_ms <= batch.fixes[i]->timestamp_ms));
        location_batch_finish(&batch);
    } else {
        ASSERT(*error != '\0');
    }
    *error = '\0';
    ASSERT(heartbeat_decode(root, "d", &beat, error, sizeof(error)) || *error != '\0');
}

/* Whatever is taken for a registration can be written as JSON that parses, and a webpush token is JSON too. */
static void decode_device(const cJSON *root)
{
    Hansom__DevicePut put;
    char error[160] = "";
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 256);
    json_writer_init(&json, &text);
    if (device_put_decode(root, "u", "d", &put, error, sizeof(error))) {
        device_put_write(&json, &put);
        cJSON *again = json_object_parse(text.data, text.length);
        cJSON *token = put.provider == HANSOM__PUSH_PROVIDER__PUSH_PROVIDER_WEBPUSH
                           ? json_object_parse(put.token, strlen(put.token))
                           : NULL;
        ASSERT(again != NULL && *put.token != '\0');
        ASSERT(put.provider != HANSOM__PUSH_PROVIDER__PUSH_PROVIDER_WEBPUSH || token != NULL);
        cJSON_Delete(again);
        cJSON_Delete(token);
    } else {
        ASSERT(*error != '\0');
    }
    device_put_finish(&put);
    strbuf_finish(&text);
}

static void write_item(const Hansom__TrackingItem *item)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 256);
    json_writer_init(&json, &text);
    tracking_item_write(&json, item);
    strbuf_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *root = cJSON_ParseWithLength((const char *)data, size);
    if (root != NULL) {
        decode_json(root);
        decode_device(root);
    }
    cJSON_Delete(root);
    Hansom__TrackingItem *item = hansom__tracking_item__unpack(NULL, size, data);
    if (item != NULL)
        write_item(item);
    hansom__tracking_item__free_unpacked(item, NULL);
    hansom__location_batch__free_unpacked(hansom__location_batch__unpack(NULL, size, data), NULL);
    return 0;
}
