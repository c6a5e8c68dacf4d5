#include "http_page.h"

#include <stdio.h>

#include "http_api_priv.h"

bool http_cursor_parse(const char *text, uint64_t *epoch_r, uint64_t *sequence_r)
{
    char epoch[EPOCH_TEXT_SIZE];
    size_t length = strcspn(text, ".");
    if (length == 0 || length >= sizeof(epoch) || text[length] != '.')
        return false;
    memcpy(epoch, text, length);
    epoch[length] = '\0';
    const char *number = text + length + 1;
    size_t digits = strspn(number, "0123456789");
    *epoch_r = epoch_parse(epoch);
    *sequence_r = strtoull(number, NULL, 10);
    return *epoch_r > 0 && digits > 0 && digits < 19 && number[digits] == '\0';
}

void http_cursor_format(char text[HTTP_CURSOR_SIZE], uint64_t epoch, uint64_t sequence)
{
    char epoch_text[EPOCH_TEXT_SIZE];
    epoch_format(epoch, epoch_text);
    snprintf(text, HTTP_CURSOR_SIZE, "%s.%llu", epoch_text, (unsigned long long)sequence);
}

bool http_limit_parse(const struct http_request *request, uint32_t fallback, uint32_t max, uint32_t *limit_r)
{
    const char *text = http_query(request, "limit");
    *limit_r = fallback;
    if (text == NULL)
        return true;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 4 || text[digits] != '\0')
        return false;
    *limit_r = (uint32_t)strtoul(text, NULL, 10);
    return *limit_r >= 1 && *limit_r <= max;
}
