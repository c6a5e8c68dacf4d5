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
    ASSERT(heartbeat_decode(root, "d", &beat, error, sizeof(error)) || *error != '\0');
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
    if (root != NULL)
        decode_json(root);
    cJSON_Delete(root);
    Hansom__TrackingItem *item = hansom__tracking_item__unpack(NULL, size, data);
    if (item != NULL)
        write_item(item);
    hansom__tracking_item__free_unpacked(item, NULL);
    hansom__location_batch__free_unpacked(hansom__location_batch__unpack(NULL, size, data), NULL);
    return 0;
}
