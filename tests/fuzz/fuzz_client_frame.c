/* Frames from clients: whatever comes, a frame or an error that names something, and no access out of bounds. */
#include "base/utf8.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_frame frame;
    char error[160] = "";
    char *text = mem_dup(data, size);
    utf8_is_valid(text, size);
    if (client_frame_parse(text, size, &frame, error, sizeof(error)))
        client_frame_finish(&frame);
    else
        ASSERT(*error != '\0');
    mem_free(text);
    return 0;
}
