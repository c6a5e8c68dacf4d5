/* The head of a request whose token is moved: whatever comes, what goes on ends a head where one ended. */
#include "arrival.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf out;
    char *head = mem_dup(data, size);
    strbuf_init(&out, size + 1);
    if (arrival_move_token(head, size, &out))
        ASSERT(memmem(out.data, out.length, "\r\n\r\n", 4) != NULL);
    strbuf_finish(&out);
    mem_free(head);
    return 0;
}
