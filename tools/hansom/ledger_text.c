#include "ledger_text.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/clock.h"

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text == NULL ? "" : text;
}

static unsigned long long number_of(const cJSON *object, const char *name)
{
    double number = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return number >= 0 && number < 9007199254740992.0 ? (unsigned long long)number : 0;
}

/* What providers and back ends have named does not get to speak to the terminal. */
static void append_safe(struct strbuf *out, const char *before, const char *text)
{
    if (*text == '\0')
        return;
    strbuf_append_string(out, before);
    for (; *text != '\0'; text++)
        strbuf_append_char(out, *text >= ' ' && *text <= '~' ? *text : '?');
}

static void append_duration(struct strbuf *out, const cJSON *attempt)
{
    const char *from = text_of(attempt, "started_at"), *to = text_of(attempt, "ended_at");
    int64_t from_ms, to_ms;
    char text[32] = "-";
    if (rfc3339_parse(from, strlen(from), &from_ms) && rfc3339_parse(to, strlen(to), &to_ms))
        snprintf(text, sizeof(text), "%lld ms", (long long)(to_ms - from_ms));
    strbuf_appendf(out, "%9s", text);
}

static void append_attempt(struct strbuf *out, const cJSON *attempt)
{
    size_t from = out->length;
    strbuf_appendf(out, "      %2llu", number_of(attempt, "number"));
    append_safe(out, "  ", text_of(attempt, "started_at"));
    while (out->length < from + 34)
        strbuf_append_char(out, ' ');
    append_safe(out, "  ", text_of(attempt, "outcome"));
    while (out->length < from + 46)
        strbuf_append_char(out, ' ');
    append_duration(out, attempt);
    unsigned long long status = number_of(attempt, "status");
    if (status > 0)
        strbuf_appendf(out, "  %llu", status);
    append_safe(out, "  ", text_of(attempt, "reason"));
    append_safe(out, "  ", text_of(attempt, "provider_id"));
    strbuf_append_char(out, '\n');
}

/* "state, reason, due TIME" */
static void append_state(struct strbuf *out, const cJSON *item)
{
    const char *state = text_of(item, "state");
    append_safe(out, ": ", state);
    append_safe(out, ", ", text_of(item, "reason"));
    if (str_equal(state, "waiting") || str_equal(state, "due"))
        append_safe(out, ", due ", text_of(item, "due_at"));
    append_safe(out, ", delivered ", text_of(item, "delivered_at"));
    strbuf_append_char(out, '\n');
}

static void append_delivery(struct strbuf *out, const cJSON *delivery)
{
    strbuf_appendf(out, "    %llu", number_of(delivery, "delivery_id"));
    append_safe(out, " ", text_of(delivery, "channel"));
    append_safe(out, " to device ", text_of(delivery, "device_id"));
    append_state(out, delivery);
    const cJSON *attempt;
    cJSON_ArrayForEach(attempt, cJSON_GetObjectItemCaseSensitive(delivery, "attempts")) append_attempt(out, attempt);
}

static void append_step(struct strbuf *out, const cJSON *event, const cJSON *step)
{
    unsigned long long number = number_of(step, "step");
    strbuf_appendf(out, "  step %llu", number);
    append_safe(out, " ", text_of(step, "kind"));
    append_state(out, step);
    const cJSON *delivery;
    cJSON_ArrayForEach(delivery, cJSON_GetObjectItemCaseSensitive(event, "deliveries"))
    {
        if (number_of(delivery, "step") == number)
            append_delivery(out, delivery);
    }
}

static void append_event(struct strbuf *out, const cJSON *event)
{
    append_safe(out, "event ", text_of(event, "event_id"));
    append_safe(out, " of user ", text_of(event, "user_id"));
    append_safe(out, ": ", text_of(event, "type"));
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(event, "critical")))
        strbuf_append_string(out, ", critical");
    append_safe(out, ", policy ", text_of(event, "policy"));
    append_safe(out, "\n  created ", text_of(event, "created_at"));
    append_safe(out, ", expires ", text_of(event, "expires_at"));
    const char *acknowledged = text_of(event, "acknowledged_at");
    append_safe(out, ", ", *acknowledged == '\0' ? "not acknowledged" : "acknowledged ");
    append_safe(out, "", acknowledged);
    strbuf_append_char(out, '\n');
    const cJSON *step;
    cJSON_ArrayForEach(step, cJSON_GetObjectItemCaseSensitive(event, "steps")) append_step(out, event, step);
}

void ledger_text_append(struct strbuf *out, const cJSON *ledger)
{
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItemCaseSensitive(ledger, "events")) append_event(out, event);
}

size_t dead_text_append(struct strbuf *out, const cJSON *page)
{
    size_t count = 0;
    const cJSON *letter;
    cJSON_ArrayForEach(letter, cJSON_GetObjectItemCaseSensitive(page, "notifications"))
    {
        strbuf_appendf(out, "%llu", number_of(letter, "delivery_id"));
        append_safe(out, "  ", text_of(letter, "channel"));
        append_safe(out, " to device ", text_of(letter, "device_id"));
        append_safe(out, "  ", text_of(letter, "reason"));
        append_safe(out, "  event ", text_of(letter, "event_id"));
        append_safe(out, " of user ", text_of(letter, "user_id"));
        append_safe(out, ": ", text_of(letter, "type"));
        strbuf_append_char(out, '\n');
        count++;
    }
    return count;
}
