#include "base/clock.h"
#include "dispatch.h"

void handle_ping(struct session *session, const struct client_frame *frame)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 96);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "op", "pong");
    if (frame->id != 0)
        json_kv_uint(&json, "id", frame->id);
    if (frame->has_t)
        json_kv_double(&json, "t", frame->t, 3);
    json_kv_int(&json, "now", clock_wall_ms());
    json_end_object(&json);
    session_send(session, &text);
    strbuf_finish(&text);
}
