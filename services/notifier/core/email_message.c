#include "core/email_message.h"

#include <ctype.h>
#include <time.h>

#include "core/crypto_text.h"
#include "core/header_list.h"
#include "core/outcome.h"

#define PLAIN_HEADER_MAX 60
#define WORD_BYTES_MAX 39 /* 52 characters of base64 + 12 around + "Subject: " are 73; a line has at most 76 */
#define BODY_LINE_MAX 76

bool email_address_is_sane(const char *address)
{
    const char *at = strrchr(address, '@');
    if (at == NULL || at == address || at[1] == '\0' || strlen(address) > EMAIL_ADDRESS_MAX)
        return false;
    for (const char *c = address; *c != '\0'; c++)
        if (*c <= 0x20 || *c > 0x7e || strchr("<>()[]\\,;:\"", *c) != NULL || (*c == '@' && c != at))
            return false;
    return true;
}

bool email_sender_parse(struct email_sender *sender, const char *text)
{
    const char *open = strrchr(text, '<');
    size_t length = strlen(text);
    size_t name_length = open == NULL ? 0 : (size_t)(open - text);
    bool has_end = open == NULL || (length > 0 && text[length - 1] == '>');
    while (name_length > 0 && text[name_length - 1] == ' ')
        name_length--;
    sender->name = mem_strndup(text, name_length);
    sender->address = open == NULL ? mem_strdup(text) : mem_strndup(open + 1, strlen(open + 1) - (has_end ? 1 : 0));
    const char *at = strrchr(sender->address, '@');
    sender->domain = at == NULL ? "" : at + 1;
    for (const char *c = sender->name; *c != '\0'; c++)
        has_end = has_end && !iscntrl((unsigned char)*c);
    return has_end && email_address_is_sane(sender->address);
}

void email_sender_finish(struct email_sender *sender)
{
    mem_free(sender->name);
    mem_free(sender->address);
    *sender = (struct email_sender){0};
}

/* As many whole characters as fit into one encoded word. */
static size_t word_length(const char *text, size_t length)
{
    size_t end = length < WORD_BYTES_MAX ? length : WORD_BYTES_MAX;
    while (end > 0 && end < length && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end > 0 ? end : length < WORD_BYTES_MAX ? length : WORD_BYTES_MAX;
}

/* RFC 2047, folded. */
static void append_words(struct strbuf *out, const char *text, size_t length)
{
    for (size_t from = 0; from < length;) {
        size_t count = word_length(text + from, length - from);
        strbuf_append_string(out, from > 0 ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
        base64_append(out, text + from, count);
        strbuf_append_string(out, "?=");
        from += count;
    }
}

static bool is_plain(const char *text, const char *also)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!(isalnum((unsigned char)*c) && (unsigned char)*c < 0x80) && strchr(also, *c) == NULL)
            return false;
    return text[0] != ' ' && strlen(text) <= PLAIN_HEADER_MAX;
}

static void append_subject(struct strbuf *out, const char *title)
{
    struct strbuf text;
    strbuf_init(&text, strlen(title));
    for (; *title != '\0'; title++)
        strbuf_append_char(&text, (unsigned char)*title < 0x20 || *title == 0x7f ? ' ' : *title);
    strbuf_append_string(out, "Subject: ");
    if (is_plain(text.data, " !#$%&'()*+,-./:;@^_{}|~?\"")) /* no '=': it could look like an encoded word */
        strbuf_append(out, text.data, text.length);
    else
        append_words(out, text.data, text.length);
    strbuf_append_string(out, "\r\n");
    strbuf_finish(&text);
}

static void append_from(struct strbuf *out, const struct email_sender *sender)
{
    strbuf_append_string(out, "From: ");
    if (is_plain(sender->name, " -_"))
        strbuf_append_string(out, sender->name);
    else
        append_words(out, sender->name, strlen(sender->name));
    strbuf_appendf(out, "%s<%s>\r\n", sender->name[0] == '\0' ? "" : " ", sender->address);
}

static void append_date(struct strbuf *out, int64_t now_ms)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm utc;
    ASSERT(gmtime_r(&now_s, &utc) != NULL);
    strbuf_appendf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[utc.tm_wday], utc.tm_mday,
                   months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

/* One byte of quoted-printable; a blank at a line's end is encoded too. */
static size_t encode_byte(char encoded[3], const char *at)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)*at;
    bool is_last = at[1] == '\0' || at[1] == '\n' || (at[1] == '\r' && at[2] == '\n');
    encoded[0] = (char)c;
    if ((c > 0x20 && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !is_last))
        return 1;
    encoded[0] = '=';
    encoded[1] = digits[c >> 4];
    encoded[2] = digits[c & 15];
    return 3;
}

/* RFC 2045 6.7. */
static void append_quoted_printable(struct strbuf *out, const char *text)
{
    size_t column = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\n' || (text[0] == '\r' && text[1] == '\n')) {
            text += *text == '\r';
            strbuf_append(out, "\r\n", 2);
            column = 0;
            continue;
        }
        char encoded[3];
        size_t length = encode_byte(encoded, text);
        if (column + length >= BODY_LINE_MAX) {
            strbuf_append(out, "=\r\n", 3);
            column = 0;
        }
        strbuf_append(out, encoded, length);
        column += length;
    }
    strbuf_append(out, "\r\n", 2);
}

void email_message_id(char *buffer, size_t size, const struct email_sender *sender, uint64_t delivery_id)
{
    char uuid[DELIVERY_UUID_SIZE];
    delivery_uuid(delivery_id, uuid);
    snprintf(buffer, size, "<%s@%s>", uuid, sender->domain);
}

bool email_message_build(struct strbuf *out, const struct email_sender *sender, const struct notice *notice,
                         int64_t now_ms)
{
    char id[DELIVERY_UUID_SIZE + EMAIL_ADDRESS_MAX + 4];
    if (!email_address_is_sane(notice->target) || !header_value_is_sane(notice->event_id))
        return false;
    email_message_id(id, sizeof(id), sender, notice->delivery_id);
    append_date(out, now_ms);
    append_from(out, sender);
    strbuf_appendf(out, "To: <%s>\r\n", notice->target);
    append_subject(out, notice->title);
    strbuf_appendf(out,
                   "Message-ID: %s\r\n"
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: quoted-printable\r\n"
                   "Auto-Submitted: auto-generated\r\n"
                   "X-Hansom-Event: %s\r\n\r\n",
                   id, notice->event_id);
    append_quoted_printable(out, notice->body);
    return true;
}

void email_judge(struct outcome *outcome, int status, bool is_about_recipient)
{
    if (status >= 200 && status <= 299)
        outcome_accept(outcome, status, NULL);
    else if (status >= 500 && is_about_recipient)
        outcome_bury(outcome, status, FAILURE_dead_target);
    else if (status == 530 || status == 535)
        outcome_retry(outcome, status, FAILURE_unauthorized, 0);
    else if (status >= 500)
        outcome_reject(outcome, status, status == 552 ? FAILURE_too_large : FAILURE_bad_request);
    else {
        outcome_retry(outcome, status, FAILURE_unavailable, 0);
        outcome->is_provider_fault = !is_about_recipient; /* a mailbox that is full, or greylisted */
    }
}
