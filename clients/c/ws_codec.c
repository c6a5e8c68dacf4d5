#include "ws_codec.h"

#include <openssl/evp.h>

#include "base/ids.h"

#define FINAL_BIT 0x80
#define MASK_BIT 0x80
#define RESERVED_BITS 0x70

void ws_make_key(char key[25])
{
    unsigned char raw[16];
    random_bytes(raw, sizeof(raw));
    EVP_EncodeBlock((unsigned char *)key, raw, sizeof(raw));
}

void ws_write_request(struct strbuf *out, const char *host, const char *path, const char *key, const char *token)
{
    strbuf_appendf(out,
                   "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: hansom.v1.json\r\n",
                   path, host, key);
    if (token != NULL)
        strbuf_appendf(out, "Authorization: Bearer %s\r\n", token);
    strbuf_append_string(out, "\r\n");
}

void ws_write_frame(struct strbuf *out, enum ws_opcode opcode, const char *payload, size_t length)
{
    ASSERT(length <= UINT32_MAX);
    uint32_t mask = (uint32_t)random_below(UINT32_MAX);
    strbuf_append_char(out, (char)(FINAL_BIT | opcode));
    if (length < 126) {
        strbuf_append_char(out, (char)(MASK_BIT | length));
    } else if (length <= UINT16_MAX) {
        strbuf_append_char(out, (char)(MASK_BIT | 126));
        strbuf_append(out, (char[]){(char)(length >> 8), (char)length}, 2);
    } else {
        strbuf_append_char(out, (char)(MASK_BIT | 127));
        strbuf_append(
            out, (char[]){0, 0, 0, 0, (char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length},
            8);
    }
    strbuf_append(out, &mask, sizeof(mask));
    char *masked = strbuf_reserve(out, length);
    const char *key = (const char *)&mask;
    for (size_t i = 0; i < length; i++)
        masked[i] = (char)(payload[i] ^ key[i % 4]);
    strbuf_grown(out, length);
}

long ws_read_frame(const char *bytes, size_t length, size_t max_payload, struct ws_frame *frame_r)
{
    const unsigned char *in = (const unsigned char *)bytes;
    if (length < 2)
        return 0;
    if ((in[0] & RESERVED_BITS) != 0 || (in[1] & MASK_BIT) != 0)
        return -1; /* no extensions were asked for; servers do not mask */
    size_t extra = in[1] < 126 ? 0 : in[1] == 126 ? 2 : 8;
    if (length < 2 + extra)
        return 0;
    uint64_t payload = in[1];
    if (extra > 0) {
        payload = 0;
        for (size_t i = 0; i < extra; i++)
            payload = payload << 8 | in[2 + i];
    }
    if (payload > max_payload)
        return -1;
    if (length < 2 + extra + payload)
        return 0;
    *frame_r = (struct ws_frame){.opcode = (enum ws_opcode)(in[0] & 15),
                                 .is_final = (in[0] & FINAL_BIT) != 0,
                                 .payload = bytes + 2 + extra,
                                 .length = (size_t)payload};
    return (long)(2 + extra + payload);
}
