#include "core/sms_status.h"

#include "auth/auth.h"
#include "core/crypto_text.h"

#define ERROR_CODE_MAX 999999

struct field {
    const char *name, *value; /* decoded, zero-terminated; no zero inside */
};

struct form {
    struct strbuf text;
    struct field fields[SMS_FORM_FIELDS_MAX];
    size_t count;
};

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes up to the given end into text, with a zero at its end. */
static bool decode(struct strbuf *text, const char *from, const char *end)
{
    for (; from < end; from++) {
        char c = *from == '+' ? ' ' : *from;
        if (c == '%') {
            int high = end - from > 2 ? hex_value(from[1]) : -1;
            int low = high < 0 ? -1 : hex_value(from[2]);
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            from += 2;
        }
        if (c == '\0')
            return false;
        strbuf_append_char(text, c);
    }
    strbuf_append_char(text, '\0');
    return true;
}

static bool read_field(struct form *form, const char *from, const char *end)
{
    if (form->count == SMS_FORM_FIELDS_MAX)
        return false;
    const char *equals = memchr(from, '=', (size_t)(end - from));
    const char *name_end = equals == NULL ? end : equals;
    struct field *field = &form->fields[form->count++];
    field->name = form->text.data + form->text.length;
    if (!decode(&form->text, from, name_end))
        return false;
    field->value = form->text.data + form->text.length;
    return decode(&form->text, equals == NULL ? end : equals + 1, end);
}

static bool form_read(struct form *form, const char *bytes, size_t length)
{
    const char *end = bytes + length;
    form->count = 0;
    bool is_long = length > SMS_FORM_LENGTH_MAX;
    strbuf_init(&form->text, is_long ? 0 : 2 * length + 2); /* never moves: no longer when decoded, two zeros a field */
    if (is_long)
        return false;
    while (bytes < end) {
        const char *ampersand = memchr(bytes, '&', (size_t)(end - bytes));
        const char *field_end = ampersand == NULL ? end : ampersand;
        if (field_end > bytes && !read_field(form, bytes, field_end))
            return false;
        bytes = field_end + 1;
    }
    return true;
}

static int compare(const void *left_field, const void *right_field)
{
    const struct field *left = left_field, *right = right_field;
    int by_name = strcmp(left->name, right->name);
    return by_name != 0 ? by_name : strcmp(left->value, right->value);
}

/* A field that comes twice with one value is signed once: so the provider's own libraries do. */
static void append_signed_text(struct strbuf *out, struct form *form)
{
    qsort(form->fields, form->count, sizeof(form->fields[0]), compare);
    for (size_t i = 0; i < form->count; i++) {
        if (i > 0 && compare(&form->fields[i - 1], &form->fields[i]) == 0)
            continue;
        strbuf_append_string(out, form->fields[i].name);
        strbuf_append_string(out, form->fields[i].value);
    }
}

bool sms_signature_is_valid(const char *auth_token, const char *url, const char *form_bytes, size_t length,
                            const char *signature)
{
    struct form form;
    bool is_valid = form_read(&form, form_bytes, length);
    if (is_valid) {
        struct strbuf text, expected;
        strbuf_init(&text, strlen(url) + length);
        strbuf_init(&expected, 32);
        strbuf_append_string(&text, url);
        append_signed_text(&text, &form);
        hmac_base64_append(&expected, "SHA1", auth_token, strlen(auth_token), text.data, text.length);
        is_valid = secret_equal(expected.data, signature);
        strbuf_finish(&text);
        strbuf_finish(&expected);
    }
    strbuf_finish(&form.text);
    return is_valid;
}

static bool read_code(const char *text, int *code_r)
{
    char *end;
    long code = strtol(text, &end, 10);
    bool is_number = text[0] >= '0' && text[0] <= '9' && *end == '\0' && code <= ERROR_CODE_MAX;
    *code_r = is_number ? (int)code : 0;
    return is_number || text[0] == '\0';
}

static bool read_status(const struct form *form, struct sms_status *status)
{
    bool is_good = true;
    for (size_t i = 0; i < form->count; i++) {
        const struct field *field = &form->fields[i];
        if (str_equal(field->name, "MessageSid"))
            is_good = is_good && str_copy(status->message_id, sizeof(status->message_id), field->value);
        else if (str_equal(field->name, "MessageStatus"))
            is_good = is_good && str_copy(status->status, sizeof(status->status), field->value);
        else if (str_equal(field->name, "ErrorCode"))
            is_good = is_good && read_code(field->value, &status->error_code);
    }
    return is_good && status->message_id[0] != '\0' && status->status[0] != '\0';
}

bool sms_status_parse(const char *form_bytes, size_t length, struct sms_status *status_r)
{
    struct form form;
    *status_r = (struct sms_status){0};
    bool is_good = form_read(&form, form_bytes, length) && read_status(&form, status_r);
    strbuf_finish(&form.text);
    return is_good;
}
