#include <criterion/criterion.h>

#include "content_rules.h"

static const struct content_config config = {.mask = 0xf,
                                             .max_characters = 200,
                                             .phone_digits = 7,
                                             .block_list = "# words\nidiot\n\nдурак\r\n",
                                             .attachment_origins = "https://files.example.com, https://b.example",
                                             .attachment_max_bytes = 1000};

struct row {
    const char *in, *out;
    uint32_t found;
};

static void check(const struct content_rules *rules, const struct row *row)
{
    struct strbuf out;
    char error[160] = "";
    uint32_t found = 0;
    strbuf_init(&out, 64);
    cr_expect(content_rules_apply(rules, row->in, &out, &found, error, sizeof(error)), "%s: %s", row->in, error);
    cr_expect_str_eq(out.data, row->out, "\"%s\" became \"%s\"", row->in, out.data);
    cr_expect_eq(found, row->found, "%s: found %x", row->in, found);
    strbuf_finish(&out);
}

static void check_all(const struct row *rows, size_t count)
{
    struct content_rules *rules = content_rules_create(&config);
    for (size_t i = 0; i < count; i++)
        check(rules, &rows[i]);
    content_rules_destroy(&rules);
}

#define P (1u << FOUND_PHONE)
#define E (1u << FOUND_EMAIL)
#define L (1u << FOUND_LINK)
#define C (1u << FOUND_CARD)

Test(content_rules, telephone_numbers_in_every_dress)
{
    static const struct row rows[] = {
        {"call +44 7700 900123 now", "call +*** now", P},
        {"(555) 123-4567", "(***", P},
        {"5 5 5 1 2 3 4 5 6 7", "***", P},
        {"555.123.4567!", "***!", P},
        {"oh seven seven double zero nine one two three", "***", P},
        {"my number is five five five, one two three four", "my number is ***", P},
        {"null eins sieben sechs drei vier fünf sechs", "***", P},
        {"０７７００９００１２３", "***", P},
        {"٠٧٧٠٠٩٠٠١٢٣", "***", P},
        {"07700\u200b900\u200b123", "***", P},
        {"0 7 seven 0 0 nine hundred", "0 7 seven 0 0 nine hundred", 0},
        {"o77o0 9oo 123", "***", P},
        {"1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣", "***", P},
        {"555\u2007123\u20074567", "***", P},
        {"555\u180e123\u206a4567", "***", P},
        {"555\u27961 2 3 \u2026 4567", "***", P},
        {"5\u26405\u26405\u26401\U0001f6002\U0001f6003\U0001f6004", "***", P},
        {"fivefivefive onetwothreefour", "***", P},
        {"zeroSevenseven oneone twothree", "***", P},
        {"555,123,4567", "***", P},
        {"555.123.400", "***", P},
        {"0800 100 000", "***", P},
        {"0171.2.000.000", "***", P},
    };
    check_all(rows, ARRAY_LEN(rows));
}

Test(content_rules, what_is_no_number_stays)
{
    static const struct row rows[] = {
        {"Gate 12, row 345", "Gate 12, row 345", 0},
        {"on 2025-11-24 at 18:30:15", "on 2025-11-24 at 18:30:15", 0},
        {"24.11.2025 18:30", "24.11.2025 18:30", 0},
        {"it costs 1,000,000", "it costs 1,000,000", 0},
        {"1.000.000 VND or 10 000 000 IDR", "1.000.000 VND or 10 000 000 IDR", 0},
        {"EUR 12.345,67, USD 12,345.67", "EUR 12.345,67, USD 12,345.67", 0},
        {"booking 322753b6-a314-4c53-b02d-2732430a4178", "booking 322753b6-a314-4c53-b02d-2732430a4178", 0},
        {"ooooooooh noooo, someone", "ooooooooh noooo, someone", 0},
        {"one of the two or three at four", "one of the two or three at four", 0},
        {"line one\nline two\ttab", "line one\nline two\ttab", 0},
        {"dos\r\nlines", "dos\nlines", 0},
        {"", "", 0},
    };
    check_all(rows, ARRAY_LEN(rows));
}

Test(content_rules, cards_by_their_check_digit)
{
    static const struct row rows[] = {
        {"4111 1111 1111 1111", "***", C},
        {"4111-1111-1111-1112", "***", P},
        {"pay 378282246310005 ok", "pay *** ok", C},
        {"four one one one 1111 1111 1111", "***", C},
        {"four one one one 1111 1111 1111 1", "***", P},
    };
    check_all(rows, ARRAY_LEN(rows));
}

Test(content_rules, addresses_and_links)
{
    static const struct row rows[] = {
        {"write to john.doe+x@mail.example.com.", "write to ***.", E},
        {"john at gmail dot com", "***", E},
        {"john (at) gmail (dot) com", "***", E},
        {"john @ gmail . com", "***", E},
        {"meet me at the corner", "meet me at the corner", 0},
        {"john at libero dot it", "***", E},
        {"john (at) libero.it", "***", E},
        {"we met at ten.It is late", "we met at ten.It is late", 0},
        {"I am here.My bag is blue", "I am here.My bag is blue", 0},
        {"see https://evil.example/x?y=1 there", "see *** there", L},
        {"www.example.museum", "***", L},
        {"go to bit.ly/abc", "go to ***", L},
        {"t.me/someone", "***", L},
        {"ok.me neither", "ok.me neither", 0},
        {"example.com", "***", L},
        {"I am here.Come down", "I am here.Come down", 0},
        {"3.5 km", "3.5 km", 0},
    };
    check_all(rows, ARRAY_LEN(rows));
}

Test(content_rules, mask_is_a_choice)
{
    struct content_config phone_only = config;
    cr_assert(content_mask_parse("phone", &phone_only.mask));
    struct content_rules *rules = content_rules_create(&phone_only);
    check(rules, &(struct row){"a@b.co 5551234567", "a@b.co ***", P});
    content_rules_destroy(&rules);
    uint32_t mask;
    cr_assert(content_mask_parse("phone, email,link,card", &mask));
    cr_assert_eq(mask, 0xf);
    cr_assert(content_mask_parse("", &mask));
    cr_assert_eq(mask, 0);
    cr_assert_not(content_mask_parse("phone,fax", &mask));
}

static void expect_refusal(const struct content_rules *rules, const char *content, const char *text)
{
    struct strbuf out;
    char error[160] = "";
    uint32_t found = 0;
    strbuf_init(&out, 64);
    cr_expect_not(content_rules_apply(rules, content, &out, &found, error, sizeof(error)), "%s", content);
    cr_expect_str_eq(error, text);
    cr_expect_eq(out.length, 0);
    strbuf_finish(&out);
}

Test(content_rules, refusals_name_the_field)
{
    struct content_rules *rules = content_rules_create(&config);
    char long_text[600] = "";
    for (size_t i = 0; i < 201; i++)
        memcpy(long_text + 2 * i, "\xc3\xa9", 2);
    expect_refusal(rules, "\xff", "data.content: must be UTF-8");
    expect_refusal(rules, "a\x01", "data.content: must not contain control characters");
    expect_refusal(rules, "a\u202e", "data.content: must not contain control characters");
    expect_refusal(rules, long_text, "data.content: must be at most 200 characters");
    long_text[400] = '\0';
    check(rules, &(struct row){long_text, long_text, 0});
    content_rules_destroy(&rules);
}

Test(content_rules, block_list)
{
    struct content_rules *rules = content_rules_create(&config);
    expect_refusal(rules, "you Idiot!", "data.content: contains a word that is not allowed");
    expect_refusal(rules, "1D10T", "data.content: contains a word that is not allowed");
    expect_refusal(rules, "ДУРАК", "data.content: contains a word that is not allowed");
    check(rules, &(struct row){"idiotic is another word", "idiotic is another word", 0});
    content_rules_destroy(&rules);
    struct content_config masking = config;
    masking.mask |= 1u << FOUND_BLOCKED;
    rules = content_rules_create(&masking);
    check(rules, &(struct row){"you Idiot!", "you ***!", 1u << FOUND_BLOCKED});
    content_rules_destroy(&rules);
}

Test(content_rules, attachments)
{
    struct content_rules *rules = content_rules_create(&config);
    char error[160];
    cr_assert(
        content_rules_attachment(rules, "https://files.example.com/a?sig=1", "image/png", 1000, error, sizeof(error)));
    cr_assert(content_rules_attachment(rules, "https://b.example/a", "application/pdf", 1, error, sizeof(error)));
    cr_assert_not(
        content_rules_attachment(rules, "https://files.example.com.evil/a", "image/png", 1, error, sizeof(error)));
    cr_assert_not(content_rules_attachment(rules, "http://files.example.com/a", "image/png", 1, error, sizeof(error)));
    cr_assert_not(content_rules_attachment(rules, "https://b.example/a", "text/html", 1, error, sizeof(error)));
    cr_assert_str_eq(error, "data.attachments.content_type: must be image/*, audio/*, video/* or a PDF");
    static const char *const types[] = {"image/", "image/\"><script>", "image/png; a=b", "video/mp4 x"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        cr_expect_not(content_rules_attachment(rules, "https://b.example/a", types[i], 1, error, sizeof(error)), "%s",
                      types[i]);
    cr_assert(content_rules_attachment(rules, "https://b.example/a", "image/vnd.x-a+b", 1, error, sizeof(error)));
    cr_assert_not(content_rules_attachment(rules, "https://b.example/a", "image/png", 1001, error, sizeof(error)));
    content_rules_destroy(&rules);
}
