/* The status callback's form, and its signature over whatever it holds. */
#include "core/sms_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sms_status status;
    char *form = mem_dup(data, size);
    if (sms_status_parse(form, size, &status))
        ASSERT(status.message_id[0] != '\0' && status.status[0] != '\0' && status.error_code >= 0);
    ASSERT(!sms_signature_is_valid("12345", "https://h/cb", form, size, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    mem_free(form);
    return 0;
}
