/* A PushSubscription from a stranger: what is taken is https, at a public name, with keys that encrypt. */
#include "core/subscription.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct subscription *subscription, bool allows_private)
{
    struct strbuf text;
    const char *endpoint = subscription->endpoint;
    strbuf_init(&text, 512);
    ASSERT(strlen(endpoint) <= SUBSCRIPTION_ENDPOINT_MAX && strchr(endpoint, '#') == NULL);
    ASSERT(allows_private || strncmp(endpoint, "https://", 8) == 0);
    endpoint_origin(endpoint, &text);
    ASSERT(text.length > 7 && strpbrk(text.data, "@/?#\\ \r\n") == text.data + (text.data[4] == 's' ? 6 : 5));
    strbuf_clear(&text);
    ASSERT(webpush_encrypt(&text, &subscription->receiver, NULL, "x", 1) == WEBPUSH_OK && text.length == 104);
    strbuf_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf error;
    strbuf_init(&error, 128);
    for (int allows_private = 0; allows_private < 2; allows_private++) {
        struct subscription subscription;
        strbuf_clear(&error);
        if (subscription_parse((const char *)data, size, allows_private, &subscription, &error))
            check(&subscription, allows_private);
        else
            ASSERT(strncmp(error.data, "token", 5) == 0);
    }
    strbuf_finish(&error);
    return 0;
}
