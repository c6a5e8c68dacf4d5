#ifndef HANSOM_WS_CODEC_H
#define HANSOM_WS_CODEC_H
/* The client's side of RFC 6455, bytes only. */
#include "base/strbuf.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

struct ws_frame {
    enum ws_opcode opcode;
    bool is_final;
    const char *payload;
    size_t length;
};

/* Appends the upgrade request; key is 24 characters of base64. token may be NULL. */
void ws_write_request(struct strbuf *out, const char *host, const char *path, const char *key, const char *token);
/* Appends one masked frame. */
void ws_write_frame(struct strbuf *out, enum ws_opcode opcode, const char *payload, size_t length);
/* Reads the frame at the start of the bytes. 0: not whole yet; -1: against the protocol; else its size. */
long ws_read_frame(const char *bytes, size_t length, size_t max_payload, struct ws_frame *frame_r);
/* 16 random bytes in base64. */
void ws_make_key(char key[25]);

#endif
