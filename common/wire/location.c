#include <math.h>
#include <stdio.h>

#include "wire/decode_priv.h"

#define SPEED_KMH_MAX 1500
#define ACCURACY_M_MAX 100000

static void decode_fix(struct decoder *decoder, const char *booking_id, const char *driver_id, Hansom__Fix *fix)
{
    decode_must_match(decoder, "type", true, "driver_location_update");
    decode_must_match(decoder, "booking_id", false, booking_id);
    decode_must_match(decoder, "driver_id", false, driver_id);
    decode_number(decoder, "lat", true, -90, 90, &fix->lat);
    decode_number(decoder, "lng", true, -180, 180, &fix->lng);
    decode_time(decoder, "timestamp", true, &fix->timestamp_ms);
    fix->has_bearing = decode_number(decoder, "bearing", false, 0, 360, &fix->bearing);
    fix->has_speed_kmh = decode_number(decoder, "speed_kmh", false, 0, SPEED_KMH_MAX, &fix->speed_kmh);
    fix->has_accuracy_m = decode_number(decoder, "accuracy_m", false, 0, ACCURACY_M_MAX, &fix->accuracy_m);
    if (fix->bearing >= 360)
        fix->bearing = 0;
}

/* Stable, so that of two fixes with one time the first stays first; batches are short. */
static void sort_by_time(Hansom__Fix **fixes, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        Hansom__Fix *moved = fixes[i];
        size_t at = i;
        for (; at > 0 && fixes[at - 1]->timestamp_ms > moved->timestamp_ms; at--)
            fixes[at] = fixes[at - 1];
        fixes[at] = moved;
    }
}

static bool decode_item(struct decoder *decoder, const cJSON *item, const char *booking_id, const char *driver_id,
                        Hansom__LocationBatch *batch)
{
    if (!cJSON_IsObject(item))
        return decode_fail(decoder, "type", "missing: must be an object");
    decoder->object = item;
    Hansom__Fix *fix = mem_alloc(sizeof(*fix));
    hansom__fix__init(fix);
    batch->fixes[batch->n_fixes++] = fix;
    decode_fix(decoder, booking_id, driver_id, fix);
    return !decoder->has_failed;
}

static void decode_array(struct decoder *decoder, const cJSON *data, const char *booking_id, const char *driver_id,
                         Hansom__LocationBatch *batch)
{
    char prefix[24];
    decoder->prefix = prefix;
    const cJSON *item;
    cJSON_ArrayForEach(item, data)
    {
        snprintf(prefix, sizeof(prefix), "data[%zu].", batch->n_fixes);
        if (!decode_item(decoder, item, booking_id, driver_id, batch))
            break;
    }
    decoder->prefix = "";
}

bool location_decode(const struct cJSON *data, const char *booking_id, const char *driver_id,
                     Hansom__LocationBatch *batch_r, char *error, size_t error_size)
{
    struct decoder decoder = {.prefix = "data.", .error = error, .error_size = error_size};
    hansom__location_batch__init(batch_r);
    int count = cJSON_IsArray(data) ? cJSON_GetArraySize(data) : 1;
    if (count < 1 || count > LOCATION_BATCH_MAX) {
        decoder.prefix = "";
        return decode_fail(&decoder, "data", "must hold 1 to 60 positions");
    }
    batch_r->fixes = mem_alloc((size_t)count * sizeof(*batch_r->fixes));
    if (cJSON_IsArray(data))
        decode_array(&decoder, data, booking_id, driver_id, batch_r);
    else
        decode_item(&decoder, data, booking_id, driver_id, batch_r);
    if (decoder.has_failed) {
        location_batch_finish(batch_r);
        return false;
    }
    sort_by_time(batch_r->fixes, batch_r->n_fixes);
    return true;
}

void location_batch_finish(Hansom__LocationBatch *batch)
{
    for (size_t i = 0; i < batch->n_fixes; i++)
        mem_free(batch->fixes[i]);
    mem_free(batch->fixes);
    batch->fixes = NULL;
    batch->n_fixes = 0;
}
