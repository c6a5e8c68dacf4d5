#include "wire/wire.h"

void message_pack(struct strbuf *out, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    protobuf_c_message_pack(message, (uint8_t *)strbuf_reserve(out, size));
    strbuf_grown(out, size);
}
