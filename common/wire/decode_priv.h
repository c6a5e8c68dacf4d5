#ifndef HANSOM_WIRE_DECODE_PRIV_H
#define HANSOM_WIRE_DECODE_PRIV_H
/* Checked reading of fields for the decoders of this folder. The first problem is kept, the rest is skipped. */
#include <cjson/cJSON.h>

#include "wire/wire.h"

struct decoder {
    const cJSON *object;
    const char *prefix; /* of field names in errors: "data.", "data[3]." or "" */
    char *error;
    size_t error_size;
    bool has_failed;
};

/* Always false, for `return decode_fail(...)`. */
bool decode_fail(struct decoder *decoder, const char *field, const char *what);
/* NULL when absent or JSON null. */
const cJSON *decode_field(const struct decoder *decoder, const char *name);
/* Absent: is_required decides. Value is untouched when absent. Returns whether it was there and good. */
bool decode_number(struct decoder *decoder, const char *name, bool is_required, double min, double max,
                   double *value_r);
bool decode_time(struct decoder *decoder, const char *name, bool is_required, int64_t *unix_ms_r);
/* 1..max_length bytes without control characters. */
bool decode_string(struct decoder *decoder, const char *name, bool is_required, size_t max_length,
                   const char **value_r);
/* id_is_valid. The text belongs to the object. */
bool decode_id(struct decoder *decoder, const char *name, bool is_required, char **id_r);
#define SEQUENCE_MAX 9007199254740991.0 /* 2^53 - 1: what a JSON number carries exactly */
/* Required; an integer from min to SEQUENCE_MAX. */
bool decode_sequence(struct decoder *decoder, const char *name, uint64_t min, uint64_t *sequence_r);
/* Absent, or exactly this text. */
void decode_must_match(struct decoder *decoder, const char *name, bool is_required, const char *expected);

#endif
