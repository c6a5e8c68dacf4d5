/* utf8, ids, strbuf, the string helpers. */
#include <criterion/criterion.h>

#include "base/backoff.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* Encodes as RFC 3629 draws it, also what it forbids. */
static size_t encode(uint32_t code, unsigned length, char out[4])
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (unsigned i = length; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(marks[length] | code);
    return length;
}

static unsigned shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

Test(utf8, every_code_point_in_every_length)
{
    for (uint32_t code = 0; code < 0x1fffff; code += code < 0x11000 ? 1 : 61) {
        for (unsigned length = shortest(code); length <= 4; length++) {
            char text[4];
            encode(code, length, text);
            bool is_allowed = length == shortest(code) && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
            cr_assert_eq(utf8_is_valid(text, length), is_allowed, "U+%04X in %u", code, length);
            for (unsigned cut = 1; cut < length; cut++)
                cr_assert_not(utf8_is_valid(text, cut), "U+%04X cut to %u", code, cut);
        }
    }
}

Test(utf8, edges)
{
    cr_assert(utf8_is_valid("", 0));
    cr_assert(utf8_is_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x95z", 11));
    cr_assert(utf8_is_valid("\xf4\x8f\xbf\xbf", 4));
    cr_assert_not(utf8_is_valid("\xf4\x90\x80\x80", 4));
    cr_assert_not(utf8_is_valid("\x80", 1));
    cr_assert_not(utf8_is_valid("\xff", 1));
    cr_assert_not(utf8_is_valid("\xc3(", 2));
    cr_assert_not(utf8_is_valid("ok\xe2\x82", 4));
}

Test(utf8, characters_and_cuts)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x95"; /* a é € and a taxi */
    static const size_t lengths[] = {1, 2, 3, 4}, cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(lengths); at += lengths[i++])
        cr_assert_eq(utf8_char_length(text + at, sizeof(text) - 1 - at), lengths[i]);
    for (size_t limit = 0; limit < ARRAY_LEN(cuts); limit++)
        cr_assert_eq(utf8_cut(text, sizeof(text) - 1, limit), cuts[limit], "limit %zu", limit);
    cr_assert_eq(utf8_char_length("", 0), 0);
    cr_assert_eq(utf8_char_length("\x82", 1), 0);
    cr_assert_eq(utf8_char_length("\xe2\x82", 2), 0);
    cr_assert_eq(utf8_char_length("\xed\xa0\x80", 3), 0);
}

Test(ids, validity)
{
    char longest[ID_LENGTH_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    cr_assert(id_is_valid(longest, ID_LENGTH_MAX));
    cr_assert_not(id_is_valid(longest, ID_LENGTH_MAX + 1));
    cr_assert(is_id("a-B_9"));
    cr_assert_not(is_id(""));
    cr_assert_not(is_id("a b"));
    cr_assert_not(id_is_valid("", 0));
    for (int c = 0; c < 256; c++) {
        char text = (char)c;
        bool is_allowed =
            c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", c) != NULL;
        cr_assert_eq(id_is_valid(&text, 1), is_allowed, "%d", c);
    }
}

Test(ids, fnv1a64_is_the_published_one)
{
    cr_assert_eq(hash_fnv1a64("", 0), 0xcbf29ce484222325ull);
    cr_assert_eq(hash_fnv1a64("a", 1), 0xaf63dc4c8601ec8cull);
    cr_assert_eq(hash_fnv1a64("foobar", 6), 0x85944171f73967e8ull);
    cr_assert_eq(partition_of("foobar"), 0x85944171f73967e8ull % 64);
}

Test(ids, uuids_are_version_4_and_differ)
{
    char first[UUID_SIZE], second[UUID_SIZE];
    uuid_generate(first);
    uuid_generate(second);
    cr_assert_str_neq(first, second);
    cr_assert_eq(strlen(first), 36);
    cr_assert_eq(strspn(first, "0123456789abcdef-"), 36);
    cr_assert_eq(first[14], '4');
    cr_assert_not_null(strchr("89ab", first[19]));
    cr_assert(first[8] == '-' && first[13] == '-' && first[18] == '-' && first[23] == '-');
}

Test(backoff, stays_between_one_and_the_cap)
{
    for (uint32_t attempt = 0; attempt < 100; attempt++) {
        uint64_t ceiling = attempt < 6 ? 100ull << attempt : 5000;
        for (unsigned i = 0; i < 50; i++) {
            uint64_t wait_ms = backoff_full_jitter_ms(attempt, 100, 5000);
            cr_assert(wait_ms >= 1 && wait_ms <= ceiling, "attempt %u: %llu", attempt, (unsigned long long)wait_ms);
        }
    }
}

Test(strbuf, grows_and_stays_terminated)
{
    struct strbuf buffer;
    strbuf_init(&buffer, 0);
    for (unsigned i = 0; i < 1000; i++) {
        strbuf_appendf(&buffer, "%u,", i % 10);
        cr_assert_eq(strlen(buffer.data), buffer.length);
    }
    cr_assert_eq(buffer.length, 2000);
    char *taken = strbuf_take(&buffer);
    cr_assert_eq(strlen(taken), 2000);
    cr_assert_str_eq(buffer.data, "");
    mem_free(taken);
    strbuf_append_int(&buffer, INT64_MIN);
    strbuf_append_uint(&buffer, UINT64_MAX);
    strbuf_append(&buffer, NULL, 0);
    cr_assert_str_eq(buffer.data, "-922337203685477580818446744073709551615");
    strbuf_finish(&buffer);
}

Test(base, strings)
{
    char small[4];
    cr_assert(str_copy(small, sizeof(small), "abc"));
    cr_assert_not(str_copy(small, sizeof(small), "abcd"));
    cr_assert_str_eq(small, "abc");
    cr_assert(str_equal(NULL, NULL));
    cr_assert_not(str_equal(NULL, ""));
    cr_assert(str_equal("a", "a"));
    char *empty = mem_strndup(NULL, 0);
    cr_assert_str_eq(empty, "");
    mem_free(empty);
}

Test(text, uuid7_carries_its_time)
{
    char one[UUID_SIZE], other[UUID_SIZE];
    int64_t time_ms = 0;
    uuid7_generate(one, 1735732800123);
    uuid7_generate(other, 1735732800124);
    cr_assert(uuid7_time(one, &time_ms));
    cr_assert_eq(time_ms, 1735732800123);
    cr_assert_lt(strcmp(one, other), 0, "sorts by time");
    cr_assert(uuid7_time("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &time_ms)); /* RFC 9562 appendix A.6 */
    cr_assert_eq(time_ms, 1645557742000);
    uuid_generate(one);
    cr_assert_not(uuid7_time(one, &time_ms));
    cr_assert_not(uuid7_time("017F22E2-79B0-7CC3-98C4-DC0C0C07398", &time_ms));
    cr_assert_not(uuid7_time("017F22E2079B007CC3098C40DC0C0C07398F", &time_ms));
}
