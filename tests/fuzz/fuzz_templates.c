/* A file of texts and, behind its first zero byte, an event's data: what is rendered is clean whatever they hold. */
#include <cjson/cJSON.h>

#include "base/utf8.h"
#include "core/templates.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct strbuf *text, size_t limit_bytes, const char *allowed)
{
    ASSERT(text->length <= limit_bytes && utf8_is_valid(text->data, text->length));
    ASSERT(strlen(text->data) == text->length);
    for (size_t i = 0; i < text->length; i++)
        ASSERT((unsigned char)text->data[i] >= ' ' || strchr(allowed, text->data[i]) != NULL);
    ASSERT(text->length == 0 || (text->data[0] != ' ' && text->data[text->length - 1] != ' '));
}

static void render(struct templates *templates, const cJSON *types, const cJSON *data)
{
    static const char *const locales[] = {"en", "de-CH-1996", "ar", ""};
    struct strbuf title, body;
    const cJSON *type;
    size_t count = 0;
    strbuf_init(&title, 64);
    strbuf_init(&body, 64);
    cJSON_ArrayForEach(type, types)
    {
        for (enum template_use use = TEMPLATE_PUSH; use <= TEMPLATE_EMAIL; use++) {
            templates_render(templates, use, type->string, locales[count++ % ARRAY_LEN(locales)], "Europe/Berlin", data,
                             &title, &body);
            check(&title, TEMPLATE_TITLE_MAX_BYTES, "");
            check(&body, TEMPLATE_BODY_MAX_BYTES, "\n");
            ASSERT(use != TEMPLATE_SMS || title.length == 0);
        }
    }
    strbuf_finish(&title);
    strbuf_finish(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    size_t length = strnlen(text, size);
    struct templates *templates = templates_create("en");
    struct strbuf error;
    strbuf_init(&error, 64);
    if (templates_add(templates, "en", text, length, &error)) {
        cJSON *types = json_object_parse(text, length);
        cJSON *data = length < size ? cJSON_ParseWithLength(text + length + 1, size - length - 1) : NULL;
        ASSERT(types != NULL && error.length == 0);
        render(templates, types, data);
        cJSON_Delete(types);
        cJSON_Delete(data);
    } else {
        ASSERT(error.length > 0);
    }
    strbuf_finish(&error);
    templates_destroy(&templates);
    return 0;
}
