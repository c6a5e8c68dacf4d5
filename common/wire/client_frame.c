#include <math.h>

#include "wire/decode_priv.h"

#define RATE_MAX 1000.0
#define SESSION_TEXT_MAX 64
#define TOKEN_MAX 4096
#define REASON_MAX 200

static const char *const op_names[] = {
#define CLIENT_OP(name) #name,
#include "wire/client_ops.def"
#undef CLIENT_OP
};

const char *client_op_name(enum client_op op)
{
    return op_names[op];
}

static bool parse_op(struct decoder *decoder, struct client_frame *frame)
{
    const cJSON *op = decode_field(decoder, "op");
    if (op == NULL)
        return decode_fail(decoder, "op", "missing");
    for (size_t i = 0; i < OP_COUNT; i++) {
        if (cJSON_IsString(op) && str_equal(op->valuestring, op_names[i])) {
            frame->op = (enum client_op)i;
            return true;
        }
    }
    return decode_fail(decoder, "op", "unknown");
}

static void parse_id(struct decoder *decoder, struct client_frame *frame)
{
    const cJSON *id = decode_field(decoder, "id");
    if (id == NULL)
        return;
    double value = cJSON_IsNumber(id) ? id->valuedouble : 0;
    if (value < 1 || value > INT32_MAX || value != floor(value))
        decode_fail(decoder, "id", "must be an integer from 1 to 2147483647");
    else
        frame->id = (uint32_t)value;
}

static void parse_channel(struct decoder *decoder, struct client_frame *frame)
{
    struct channel_name channel;
    if (decode_string(decoder, "channel", true, CHANNEL_NAME_SIZE - 1, &frame->channel) &&
        !channel_parse(frame->channel, strlen(frame->channel), &channel))
        decode_fail(decoder, "channel", "not a channel name");
}

static void parse_connect(struct decoder *decoder, struct client_frame *frame)
{
    decode_string(decoder, "token", false, TOKEN_MAX, &frame->token);
    decode_string(decoder, "platform", false, SESSION_TEXT_MAX, &frame->platform);
    decode_string(decoder, "client", false, SESSION_TEXT_MAX, &frame->client);
}

static void parse_max_rate(struct decoder *decoder, bool is_required, struct client_frame *frame)
{
    frame->has_max_rate = decode_number(decoder, "max_rate", is_required, 0, RATE_MAX, &frame->max_rate);
}

static void parse_subscribe(struct decoder *decoder, struct client_frame *frame)
{
    parse_channel(decoder, frame);
    parse_max_rate(decoder, false, frame);
    decode_string(decoder, "reason", false, REASON_MAX, &frame->reason);
    const cJSON *since = decode_field(decoder, "since");
    if (since == NULL)
        return;
    if (!cJSON_IsObject(since)) {
        decode_fail(decoder, "since", "must be an object");
        return;
    }
    struct decoder inner = *decoder;
    inner.object = since;
    inner.prefix = "since.";
    frame->has_since = true;
    decode_string(&inner, "epoch", true, SESSION_TEXT_MAX, &frame->since_epoch);
    decode_sequence(&inner, "seq", 0, &frame->since_seq);
    decoder->has_failed = inner.has_failed;
}

static void parse_publish(struct decoder *decoder, struct client_frame *frame)
{
    parse_channel(decoder, frame);
    frame->data = decode_field(decoder, "data");
    if (!cJSON_IsObject(frame->data) && !cJSON_IsArray(frame->data))
        decode_fail(decoder, "data", frame->data == NULL ? "missing" : "must be an object or an array");
}

static void parse_qos(struct decoder *decoder, struct client_frame *frame)
{
    parse_channel(decoder, frame);
    parse_max_rate(decoder, true, frame);
}

static void parse_refresh(struct decoder *decoder, struct client_frame *frame)
{
    decode_string(decoder, "token", true, TOKEN_MAX, &frame->token);
}

static void parse_ack(struct decoder *decoder, struct client_frame *frame)
{
    parse_channel(decoder, frame);
    decode_sequence(decoder, "seq", 1, &frame->seq);
}

static void parse_ping(struct decoder *decoder, struct client_frame *frame)
{
    frame->has_t = decode_number(decoder, "t", false, -SEQUENCE_MAX, SEQUENCE_MAX, &frame->t);
}

typedef void parse_fields(struct decoder *decoder, struct client_frame *frame);
static parse_fields *const field_parsers[OP_COUNT] = {
    [OP_connect] = parse_connect,
    [OP_subscribe] = parse_subscribe,
    [OP_unsubscribe] = parse_channel,
    [OP_publish] = parse_publish,
    [OP_qos] = parse_qos,
    [OP_refresh] = parse_refresh,
    [OP_ack] = parse_ack,
    [OP_presence] = parse_channel,
    [OP_ping] = parse_ping,
};

bool client_frame_parse(const char *text, size_t length, struct client_frame *frame_r, char *error, size_t error_size)
{
    *frame_r = (struct client_frame){0};
    struct decoder decoder = {.prefix = "", .error = error, .error_size = error_size};
    cJSON *root = json_object_parse(text, length);
    if (root == NULL)
        return decode_fail(&decoder, "frame", "must be one JSON object");
    decoder.object = root;
    frame_r->root = root;
    parse_id(&decoder, frame_r);
    if (parse_op(&decoder, frame_r))
        field_parsers[frame_r->op](&decoder, frame_r);
    if (decoder.has_failed) {
        uint32_t id = frame_r->id;
        client_frame_finish(frame_r);
        frame_r->id = id;
    }
    return !decoder.has_failed;
}

void client_frame_finish(struct client_frame *frame)
{
    cJSON_Delete(frame->root);
    *frame = (struct client_frame){0};
}
