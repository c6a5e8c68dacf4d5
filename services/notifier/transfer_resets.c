#include "transfer_resets.h"

#include <dlfcn.h>
#include <stdint.h>

#include "base/base.h"

/* nghttp2's, of its stable ABI; libcurl brings the library along, so its headers are not needed for two names. */
struct nghttp2_session;
struct nghttp2_stream;
#define RESET_STREAM_CLOSED 5u /* error code STREAM_CLOSED (RFC 9113 7) */
#define ERROR_STREAM_CLOSED (-510)
typedef int submit_reset(struct nghttp2_session *session, uint8_t flags, int32_t stream_id, uint32_t error_code);
typedef struct nghttp2_stream *find_stream(struct nghttp2_session *session, int32_t stream_id);
__attribute__((visibility("default"))) submit_reset nghttp2_submit_rst_stream;

static submit_reset *real_submit;
static find_stream *real_find;

void transfer_resets_prepare(void)
{
    /* ISO C knows no conversion from object to function pointers; POSIX does. */
    *(void **)&real_submit = dlsym(RTLD_NEXT, "nghttp2_submit_rst_stream");
    *(void **)&real_find = dlsym(RTLD_DEFAULT, "nghttp2_session_find_stream");
}

int nghttp2_submit_rst_stream(struct nghttp2_session *session, uint8_t flags, int32_t stream_id, uint32_t error_code)
{
    ASSERT(real_submit != NULL);
    if (error_code == RESET_STREAM_CLOSED && real_find != NULL && real_find(session, stream_id) == NULL)
        return ERROR_STREAM_CLOSED;
    return real_submit(session, flags, stream_id, error_code);
}
