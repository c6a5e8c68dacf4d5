/* What people write: what comes out is well-formed, no longer than what it says it masked allows, and stays as it is
 * when the rules see it again. */
#include "base/utf8.h"
#include "content_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct content_rules *rules, const char *text)
{
    struct strbuf once, twice;
    uint32_t found = 0, found_again = 0;
    char error[160] = "";
    strbuf_init(&once, 64);
    strbuf_init(&twice, 64);
    if (content_rules_apply(rules, text, &once, &found, error, sizeof(error))) {
        ASSERT(utf8_is_valid(once.data, once.length));
        ASSERT(found != 0 || once.length <= strlen(text));
        /* Masking never makes something forbidden of something allowed. */
        ASSERT(content_rules_apply(rules, once.data, &twice, &found_again, error, sizeof(error)) || found != 0);
    } else {
        ASSERT(*error != '\0' && once.length == 0);
    }
    strbuf_finish(&once);
    strbuf_finish(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct content_rules *rules;
    if (rules == NULL)
        rules = content_rules_create(&(struct content_config){.mask = 0x1f,
                                                              .max_characters = 4000,
                                                              .phone_digits = 7,
                                                              .block_list = "idiot\n",
                                                              .attachment_origins = "https://a.example",
                                                              .attachment_max_bytes = 100});
    char *text = mem_strndup((const char *)data, size);
    check(rules, text);
    mem_free(text);
    return 0;
}
