#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>

#include "base/json_writer.h"
#include "random_sequence.h"

static struct strbuf out;
static struct json_writer json;

static void make(void)
{
    strbuf_init(&out, 0);
    json_writer_init(&json, &out);
}

static void drop(void)
{
    strbuf_finish(&out);
}

TestSuite(json_writer, .init = make, .fini = drop);

Test(json_writer, commas_and_nesting)
{
    json_begin_object(&json);
    json_kv_int(&json, "a", INT64_MIN);
    json_kv_uint(&json, "b", UINT64_MAX);
    json_key(&json, "c");
    json_begin_array(&json);
    json_begin_object(&json);
    json_end_object(&json);
    json_bool(&json, true);
    json_null(&json);
    json_raw(&json, "[1]", 3);
    json_string(&json, NULL);
    json_end_array(&json);
    json_kv_string(&json, "d", "x");
    json_kv_time(&json, "e", 1735732800250);
    json_end_object(&json);
    cr_assert_str_eq(out.data, "{\"a\":-9223372036854775808,\"b\":18446744073709551615,\"c\":[{},true,null,[1],null],"
                               "\"d\":\"x\",\"e\":\"2025-01-01T12:00:00.250Z\"}");
}

Test(json_writer, escapes_as_rfc_8259_says)
{
    json_string(&json, "\"\\/\b\t\n\v\f\r\x01\x1f\x7f");
    cr_assert_str_eq(out.data, "\"\\\"\\\\/\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\x7f\"");
}

Test(json_writer, leaves_what_is_not_ascii_alone)
{
    json_string(&json, "\xe2\x80\xa8 \xf0\x9f\x9a\x95 \xc3\xa9");
    cr_assert_str_eq(out.data, "\"\xe2\x80\xa8 \xf0\x9f\x9a\x95 \xc3\xa9\"");
}

Test(json_writer, a_zero_byte_is_escaped)
{
    json_string_n(&json, "a\0b", 3);
    cr_assert_str_eq(out.data, "\"a\\u0000b\"");
}

Test(json_writer, a_key_is_escaped_too)
{
    json_begin_object(&json);
    json_kv_bool(&json, "a\"b", false);
    json_end_object(&json);
    cr_assert_str_eq(out.data, "{\"a\\\"b\":false}");
}

static void expect_double(double value, int max_decimals, const char *expected)
{
    strbuf_clear(&out);
    json_writer_init(&json, &out);
    json_double(&json, value, max_decimals);
    cr_assert_str_eq(out.data, expected, "%.17g with %d: %s, not %s", value, max_decimals, out.data, expected);
}

Test(json_writer, doubles)
{
    expect_double(116.311032, 6, "116.311032");
    expect_double(116.311032, 14, "116.311032");
    expect_double(116.311032, 20, "116.311032");
    expect_double(0.1, 20, "0.1");
    expect_double(0.1 + 0.2, 20, "0.30000000000000004");
    expect_double(1e-7, 20, "0.0000001");
    expect_double(90, 1, "90");
    expect_double(100, 0, "100");
    expect_double(-0.0, 3, "0");
    expect_double(-0.0004, 3, "0");
    expect_double(2.5004, 3, "2.5");
    expect_double(999.9996, 3, "1000");
    expect_double(1e15, 3, "1000000000000000");
    expect_double(NAN, 3, "null");
    expect_double(INFINITY, 3, "null");
}

Test(json_writer, any_double_reads_back_within_its_decimals)
{
    uint64_t state = 5;
    for (unsigned i = 0; i < 20000; i++) {
        int decimals = (int)sequence_below(&state, 10);
        double value = ((double)sequence_below(&state, 3600000000000ull) - 1.8e12) / 1e10;
        strbuf_clear(&out);
        json_writer_init(&json, &out);
        json_double(&json, value, decimals);
        cr_assert_leq(fabs(strtod(out.data, NULL) - value), 0.5 * pow(10, -decimals) + 1e-12, "%s", out.data);
        const char *dot = strchr(out.data, '.');
        cr_assert(dot == NULL || (strlen(dot + 1) <= (size_t)decimals && dot[strlen(dot) - 1] != '0'), "%s", out.data);
    }
}

Test(json_writer, any_text_reads_back_with_another_reader)
{
    static const char *const pieces[] = {"\"", "\\", "\n", "\x01", "a", "\xc3\xa9", "\xe2\x80\xa9", "/", "u", "\x1f"};
    uint64_t state = 11;
    for (unsigned i = 0; i < 2000; i++) {
        struct strbuf text;
        strbuf_init(&text, 0);
        for (uint64_t left = sequence_below(&state, 30); left > 0; left--)
            strbuf_append_string(&text, pieces[sequence_below(&state, ARRAY_LEN(pieces))]);
        strbuf_clear(&out);
        json_writer_init(&json, &out);
        json_string(&json, text.data);
        cJSON *read = cJSON_Parse(out.data);
        cr_assert_not_null(read, "%s", out.data);
        cr_assert_str_eq(cJSON_GetStringValue(read), text.data);
        cJSON_Delete(read);
        strbuf_finish(&text);
    }
}
