#include "core/templates.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>

#include "base/file.h"
#include "base/hashmap.h"
#include "base/utf8.h"
#include "core/local_time.h"
#include "core/template_text.h"
#include "core/text_clean.h"
#include "wire/wire.h"

#define FILE_SUFFIX ".json"
#define DEFAULT_TYPE "default"

enum text_id { TEXT_TITLE, TEXT_BODY, TEXT_SMS, TEXT_SUBJECT, TEXT_EMAIL, TEXT_COUNT };
static const char *const text_names[TEXT_COUNT] = {"title", "body", "sms", "subject", "email"};

struct message {
    struct template_text *texts[TEXT_COUNT]; /* NULL: not stated */
};

struct entry {
    struct message message;
    char *variant_field;      /* NULL: no variants */
    struct hashmap *variants; /* by the field's value: struct message */
};

struct language {
    char *locale;            /* as the file is named */
    struct hashmap *entries; /* by type: struct entry */
};

struct templates {
    struct hashmap *languages; /* by locale in lower case: struct language */
    char *default_locale;
};

/* --- the end --- */

static void message_finish(struct message *message)
{
    for (size_t i = 0; i < TEXT_COUNT; i++)
        template_text_destroy(&message->texts[i]);
}

static void free_message(void *context, const char *key, void *value)
{
    (void)context, (void)key;
    message_finish(value);
    mem_free(value);
}

static void entry_free(struct entry *entry)
{
    message_finish(&entry->message);
    hashmap_each(entry->variants, free_message, NULL);
    hashmap_destroy(&entry->variants);
    mem_free(entry->variant_field);
    mem_free(entry);
}

static void free_entry(void *context, const char *key, void *value)
{
    (void)context, (void)key;
    entry_free(value);
}

static void language_free(struct language *language)
{
    hashmap_each(language->entries, free_entry, NULL);
    hashmap_destroy(&language->entries);
    mem_free(language->locale);
    mem_free(language);
}

static void free_language(void *context, const char *key, void *value)
{
    (void)context, (void)key;
    language_free(value);
}

void templates_destroy(struct templates **templates_pointer)
{
    struct templates *templates = *templates_pointer;
    *templates_pointer = NULL;
    if (templates == NULL)
        return;
    hashmap_each(templates->languages, free_language, NULL);
    hashmap_destroy(&templates->languages);
    mem_free(templates->default_locale);
    mem_free(templates);
}

/* --- reading --- */

static bool fail(struct strbuf *error, const char *where, const char *field, const char *what)
{
    strbuf_appendf(error, "%s%s%s: %s", where, *field == '\0' ? "" : ".", field, what);
    return false;
}

/* TEXT_COUNT: no text has that name. */
static enum text_id text_from_name(const char *name)
{
    size_t i = 0;
    while (i < TEXT_COUNT && !str_equal(text_names[i], name))
        i++;
    return (enum text_id)i;
}

static bool read_text(struct message *message, const cJSON *item, const char *where, struct strbuf *error)
{
    enum text_id id = text_from_name(item->string);
    if (id == TEXT_COUNT)
        return fail(error, where, item->string, "is not one of title, body, sms, subject, email, variants");
    if (!cJSON_IsString(item) || strlen(item->valuestring) > TEMPLATE_TEXT_MAX_BYTES)
        return fail(error, where, item->string, "must be a text of at most 4096 bytes");
    if (message->texts[id] != NULL)
        return fail(error, where, item->string, "stands there twice");
    strbuf_appendf(error, "%s.%s: ", where, item->string);
    message->texts[id] = template_text_parse(item->valuestring, error);
    return message->texts[id] != NULL;
}

/* As read_text, but leaves no trace in error when all is well. */
static bool read_text_quietly(struct message *message, const cJSON *item, const char *where, struct strbuf *error)
{
    size_t length = error->length;
    bool is_good = read_text(message, item, where, error);
    if (is_good) {
        error->length = length;
        error->data[length] = '\0';
    }
    return is_good;
}

static bool read_variant(struct entry *entry, const cJSON *variant, const char *where, struct strbuf *error)
{
    const cJSON *item;
    if (!cJSON_IsObject(variant) || variant->child == NULL)
        return fail(error, where, "", "must be an object of texts");
    if (hashmap_get(entry->variants, variant->string) != NULL)
        return fail(error, where, "", "stands there twice");
    struct message *message = mem_alloc(sizeof(*message));
    hashmap_set(entry->variants, variant->string, message);
    cJSON_ArrayForEach(item, variant)
    {
        if (!read_text_quietly(message, item, where, error))
            return false;
    }
    return true;
}

static bool read_variant_field(struct entry *entry, const cJSON *variants, const char *where, struct strbuf *error)
{
    const char *field = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(variants, "field"));
    if (!cJSON_IsObject(variants) || entry->variant_field != NULL)
        return fail(error, where, "variants", "must be one object");
    if (field == NULL || !template_path_is_valid(field, strlen(field)))
        return fail(error, where, "variants.field", "must be the name of a field");
    entry->variant_field = mem_strdup(field);
    return true;
}

static bool read_variants(struct entry *entry, const cJSON *variants, const char *type, struct strbuf *error)
{
    const cJSON *item;
    if (!read_variant_field(entry, variants, type, error))
        return false;
    bool is_good = true;
    struct strbuf where;
    strbuf_init(&where, 64);
    cJSON_ArrayForEach(item, variants)
    {
        strbuf_clear(&where);
        strbuf_appendf(&where, "%s.variants.%s", type, item->string);
        is_good = is_good && (str_equal(item->string, "field") || read_variant(entry, item, where.data, error));
    }
    strbuf_finish(&where);
    return is_good;
}

static bool read_entry(struct entry *entry, const cJSON *object, const char *type, struct strbuf *error)
{
    const cJSON *item;
    if (!cJSON_IsObject(object))
        return fail(error, type, "", "must be an object");
    cJSON_ArrayForEach(item, object)
    {
        bool is_good = str_equal(item->string, "variants") ? read_variants(entry, item, type, error)
                                                           : read_text_quietly(&entry->message, item, type, error);
        if (!is_good)
            return false;
    }
    for (enum text_id id = TEXT_TITLE; id <= TEXT_BODY; id++)
        if (entry->message.texts[id] == NULL)
            return fail(error, type, text_names[id], "is missing");
    return true;
}

static bool read_language(struct language *language, const cJSON *root, struct strbuf *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, root)
    {
        if (hashmap_get(language->entries, item->string) != NULL)
            return fail(error, item->string, "", "stands there twice");
        struct entry *entry = mem_alloc(sizeof(*entry));
        entry->variants = hashmap_create();
        hashmap_set(language->entries, item->string, entry);
        if (!read_entry(entry, item, item->string, error))
            return false;
    }
    return true;
}

/* False: it is too long to be one. */
static bool lower_case(const char *locale, char key[LOCALE_LENGTH_MAX + 1])
{
    bool fits = str_copy(key, LOCALE_LENGTH_MAX + 1, locale);
    for (char *at = key; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return fits;
}

bool templates_add(struct templates *templates, const char *locale, const char *json, size_t length,
                   struct strbuf *error)
{
    char key[LOCALE_LENGTH_MAX + 1];
    if (!locale_is_valid(locale) || !lower_case(locale, key))
        return fail(error, locale, "", "the file's name must be a language tag, as en or de-CH");
    if (hashmap_get(templates->languages, key) != NULL)
        return fail(error, locale, "", "there are two files for it");
    cJSON *root = utf8_is_valid(json, length) ? json_object_parse(json, length) : NULL;
    if (root == NULL)
        strbuf_append_string(error, "must be one JSON object in UTF-8");
    struct language *language = mem_alloc(sizeof(*language));
    language->locale = mem_strdup(locale);
    language->entries = hashmap_create();
    bool is_good = root != NULL && read_language(language, root, error);
    if (is_good)
        hashmap_set(templates->languages, key, language);
    else
        language_free(language);
    cJSON_Delete(root);
    return is_good;
}

struct templates *templates_create(const char *default_locale)
{
    struct templates *templates = mem_alloc(sizeof(*templates));
    templates->languages = hashmap_create();
    templates->default_locale = mem_strdup(default_locale);
    return templates;
}

/* --- looking up --- */

/* The entry of the type in the language of the locale: of the locale itself or of what it falls back to. */
static const struct entry *find_in(const struct templates *templates, const char *locale, const char *type)
{
    char key[LOCALE_LENGTH_MAX + 1];
    if (!lower_case(locale, key))
        return NULL;
    while (*key != '\0') {
        const struct language *language = hashmap_get(templates->languages, key);
        const struct entry *entry = language == NULL ? NULL : hashmap_get(language->entries, type);
        if (entry != NULL)
            return entry;
        char *dash = strrchr(key, '-');
        *(dash == NULL ? key : dash) = '\0';
    }
    return NULL;
}

/* *locale_r: whose times and dates the text wants. */
static const struct entry *find(const struct templates *templates, const char *type, const char *locale,
                                const char **locale_r)
{
    const struct entry *entry = find_in(templates, locale, type);
    *locale_r = locale;
    if (entry == NULL)
        entry = find_in(templates, locale, DEFAULT_TYPE);
    if (entry != NULL)
        return entry;
    *locale_r = templates->default_locale;
    entry = find_in(templates, templates->default_locale, type);
    return entry != NULL ? entry : find_in(templates, templates->default_locale, DEFAULT_TYPE);
}

/* NULL: the entry has none, or none for this value. */
static const struct message *variant_for(const struct entry *entry, const cJSON *data)
{
    const char *value =
        entry->variant_field == NULL ? NULL : cJSON_GetStringValue(template_field(data, entry->variant_field));
    return value == NULL ? NULL : hashmap_get(entry->variants, value);
}

/* The first that is stated, a variant's before the entry's. */
static const struct template_text *pick(const struct entry *entry, const struct message *variant, enum text_id wanted,
                                        enum text_id otherwise)
{
    const struct message *const messages[] = {variant, &entry->message};
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        if (messages[i] != NULL && messages[i]->texts[wanted] != NULL)
            return messages[i]->texts[wanted];
        if (messages[i] != NULL && messages[i]->texts[otherwise] != NULL)
            return messages[i]->texts[otherwise];
    }
    return NULL;
}

void templates_render(struct templates *templates, enum template_use use, const char *type, const char *locale,
                      const char *timezone, const cJSON *data, struct strbuf *title, struct strbuf *body)
{
    static const enum text_id bodies[] = {
        [TEMPLATE_PUSH] = TEXT_BODY, [TEMPLATE_SMS] = TEXT_SMS, [TEMPLATE_EMAIL] = TEXT_EMAIL};
    const char *text_locale = "";
    strbuf_clear(title);
    strbuf_clear(body);
    const struct entry *entry = find(templates, type, locale, &text_locale);
    if (entry == NULL)
        return;
    const struct message *variant = variant_for(entry, data);
    const struct template_text *heading =
        pick(entry, variant, use == TEMPLATE_EMAIL ? TEXT_SUBJECT : TEXT_TITLE, TEXT_TITLE);
    if (use != TEMPLATE_SMS)
        template_text_render(heading, data, text_locale, timezone, title);
    template_text_render(pick(entry, variant, bodies[use], TEXT_BODY), data, text_locale, timezone, body);
    text_clean(title, TEMPLATE_TITLE_MAX_BYTES, false);
    text_clean(body, TEMPLATE_BODY_MAX_BYTES, true);
}

/* --- the folder --- */

/* The locale that a file is named after; NULL: it is no file of texts. mem_free. */
static char *locale_of_file(const char *name)
{
    size_t length = strlen(name), suffix = strlen(FILE_SUFFIX);
    if (*name == '.' || length <= suffix || !str_equal(name + length - suffix, FILE_SUFFIX))
        return NULL;
    return mem_strndup(name, length - suffix);
}

static bool load_file(struct templates *templates, const char *folder, const char *name, struct strbuf *error)
{
    char *locale = locale_of_file(name), *problem = NULL;
    if (locale == NULL)
        return true;
    struct strbuf path, content;
    size_t length = error->length;
    strbuf_init(&path, 128);
    strbuf_init(&content, 4096);
    strbuf_appendf(&path, "%s/%s", folder, name);
    strbuf_appendf(error, "%s: ", name);
    bool is_good = file_read(path.data, &content, &problem);
    if (!is_good)
        strbuf_append_string(error, problem);
    is_good = is_good && templates_add(templates, locale, content.data, content.length, error);
    if (is_good) {
        error->length = length;
        error->data[length] = '\0';
    }
    mem_free(problem);
    mem_free(locale);
    strbuf_finish(&path);
    strbuf_finish(&content);
    return is_good;
}

static bool load_folder(struct templates *templates, const char *folder, struct strbuf *error)
{
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        strbuf_appendf(error, "%s: %s", folder, strerror(errno));
        return false;
    }
    bool is_good = true;
    for (const struct dirent *file; is_good && (file = readdir(stream)) != NULL;)
        is_good = load_file(templates, folder, file->d_name, error);
    closedir(stream);
    return is_good;
}

struct templates *templates_load(const char *folder, const char *default_locale, struct strbuf *error)
{
    char key[LOCALE_LENGTH_MAX + 1];
    struct templates *templates = templates_create(default_locale);
    bool is_good = load_folder(templates, folder, error);
    const struct language *language =
        is_good && lower_case(default_locale, key) ? hashmap_get(templates->languages, key) : NULL;
    if (is_good && language == NULL)
        is_good = fail(error, folder, "", "has no file for the default locale");
    else if (is_good && hashmap_get(language->entries, DEFAULT_TYPE) == NULL)
        is_good = fail(error, folder, "", "the default locale's file has no \"default\"");
    if (!is_good)
        templates_destroy(&templates);
    return templates;
}
