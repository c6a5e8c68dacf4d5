#include "wire/decode_priv.h"

bool event_ack_decode(const struct cJSON *data, uint64_t *epoch_r, uint64_t *seq_r, char *error, size_t error_size)
{
    struct decoder decoder = {.object = data, .prefix = "", .error = error, .error_size = error_size};
    const char *epoch = NULL;
    *epoch_r = *seq_r = 0;
    if (!cJSON_IsObject(data))
        return decode_fail(&decoder, "body", "must be a JSON object");
    decode_sequence(&decoder, "seq", 1, seq_r);
    if (decode_string(&decoder, "epoch", false, EPOCH_TEXT_SIZE - 1, &epoch)) {
        *epoch_r = epoch_parse(epoch);
        if (*epoch_r == 0)
            decode_fail(&decoder, "epoch", "not an epoch of this server");
    }
    return !decoder.has_failed;
}
