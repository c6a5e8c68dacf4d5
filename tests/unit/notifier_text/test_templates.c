#include <criterion/criterion.h>

#include <cjson/cJSON.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "core/local_time.h"
#include "core/templates.h"
#include "tests/support/test_folder.h"

TestSuite(templates, .fini = local_time_finish);

static struct templates *templates_of(const char *en, const char *de, const char *de_ch)
{
    const char *const locales[] = {"en", "de", "de-CH"}, *const texts[] = {en, de, de_ch};
    struct templates *templates = templates_create("en");
    struct strbuf error;
    strbuf_init(&error, 64);
    for (size_t i = 0; i < ARRAY_LEN(locales); i++)
        if (texts[i] != NULL)
            cr_assert(templates_add(templates, locales[i], texts[i], strlen(texts[i]), &error), "%s: %s", locales[i],
                      error.data);
    cr_assert_str_eq(error.data, "");
    strbuf_finish(&error);
    return templates;
}

/* "title|body" */
static char *rendered(struct templates *templates, enum template_use use, const char *type, const char *locale,
                      const char *timezone, const char *data_json)
{
    static char text[2048];
    struct strbuf title, body;
    strbuf_init(&title, 64);
    strbuf_init(&body, 64);
    strbuf_append_string(&title, "of before");
    cJSON *data = cJSON_Parse(data_json);
    cr_assert_not_null(data, "%s", data_json);
    templates_render(templates, use, type, locale, timezone, data, &title, &body);
    cJSON_Delete(data);
    cr_assert_leq(title.length, TEMPLATE_TITLE_MAX_BYTES);
    cr_assert_leq(body.length, TEMPLATE_BODY_MAX_BYTES);
    cr_assert(utf8_is_valid(title.data, title.length) && utf8_is_valid(body.data, body.length));
    snprintf(text, sizeof(text), "%s|%s", title.data, body.data);
    strbuf_finish(&title);
    strbuf_finish(&body);
    return text;
}

static void expect_body(const char *template_body, const char *data_json, const char *expected)
{
    char json[2048];
    snprintf(json, sizeof(json), "{\"default\":{\"title\":\"t\",\"body\":\"%s\"}}", template_body);
    struct templates *templates = templates_of(json, NULL, NULL);
    char *text = rendered(templates, TEMPLATE_PUSH, "default", "en", "Europe/Berlin", data_json);
    cr_expect_str_eq(text + 2, expected, "%s with %s: \"%s\"", template_body, data_json, text + 2);
    templates_destroy(&templates);
    cr_assert_null(templates);
}

Test(templates, fields)
{
    expect_body("Hello {name}!", "{\"name\":\"Ann\"}", "Hello Ann!");
    expect_body("{a.b.c}", "{\"a\":{\"b\":{\"c\":\"deep\"}}}", "deep");
    expect_body("[{a.b}]", "{\"a\":\"text\"}", "[]");
    expect_body("[{a}]", "{\"a\":{}}", "[]");
    expect_body("[{a}{b}]", "{\"a\":[1],\"b\":null}", "[]");
    expect_body("[{a}]", "[]", "[]");
    expect_body("{n} {m} {x}", "{\"n\":12,\"m\":-3.25,\"x\":1e6}", "12 -3.25 1000000");
    expect_body("{yes} {no}", "{\"yes\":true,\"no\":false}", "true false");
    expect_body("{{{a}}}", "{\"a\":\"x\"}", "{x}");
    expect_body("{a}", "{\"a\":\"{b}\",\"b\":\"no\"}", "{b}"); /* what is filled in is no template */
    expect_body("Fare {fare-total_1}", "{\"fare-total_1\":\"9 €\"}", "Fare 9 €");
    expect_body("Hi {nobody} there", "{}", "Hi there");
}

Test(templates, times)
{
    expect_body("{t|time}", "{\"t\":\"2025-07-15T18:05:00Z\"}", "8:05 PM");
    expect_body("{t|date}", "{\"t\":\"2025-07-15T23:05:00Z\"}", "Jul 16, 2025");
    expect_body("{t|datetime}", "{\"t\":\"2025-01-15T20:05:00+02:00\"}", "Jan 15, 2025, 7:05 PM");
    expect_body("[{t|time}]", "{\"t\":\"tomorrow\"}", "[]");
    expect_body("[{t|time}]", "{\"t\":1700000000}", "[]");
    expect_body("[{t|time}]", "{}", "[]");
}

Test(templates, output_is_clean)
{
    expect_body("{a}", "{\"a\":\"x\\u0001\\u001b[31m\\u007f\\u0085y\"}", "x[31my");
    expect_body("{a}", "{\"a\":\"one\\r\\ntwo\\tthree\\u2028four\"}", "one\ntwo three\nfour");
    expect_body("{a}", "{\"a\":\"\\n  pay \\u202eevil\\u202c  now \\n \"}", "pay evil now");
    expect_body("{a}", "{\"a\":\"ok\xc3\"}", "ok?");
    expect_body("{a}", "{\"a\":\"\\u2068name\\u2069 \\u200fx\"}", "\u2068name\u2069 \u200fx");
    expect_body("{a}", "{\"a\":\" \\n \\t \"}", "");
}

Test(templates, long_ones_are_cut_at_a_character)
{
    struct templates *templates = templates_of("{\"default\":{\"title\":\"{a}\",\"body\":\"{a}\"}}", NULL, NULL);
    static const char *const characters[] = {"x", "é", "€", "🚕"};
    for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
        struct strbuf data;
        strbuf_init(&data, 2048);
        strbuf_append_string(&data, "{\"a\":\"y");
        for (size_t count = 0; count < 1500; count++)
            strbuf_append_string(&data, characters[i]);
        strbuf_append_string(&data, "\"}");
        char *text = rendered(templates, TEMPLATE_PUSH, "x", "en", "", data.data), *bar = strchr(text, '|');
        cr_expect(bar - text > TEMPLATE_TITLE_MAX_BYTES - 4, "%zu bytes of title", (size_t)(bar - text));
        cr_expect(strlen(bar + 1) > TEMPLATE_BODY_MAX_BYTES - 4, "%zu bytes of body", strlen(bar + 1));
        cr_expect_eq(memcmp(bar - 3, "…", 3), 0);
        cr_expect_str_eq(bar + strlen(bar) - 3, "…");
        strbuf_finish(&data);
    }
    templates_destroy(&templates);
}

Test(templates, a_title_has_one_line)
{
    struct templates *templates = templates_of("{\"default\":{\"title\":\"{a}\",\"body\":\"\"}}", NULL, NULL);
    cr_expect_str_eq(rendered(templates, TEMPLATE_EMAIL, "x", "en", "", "{\"a\":\"Hi\\r\\nBcc: x\\u2029y\"}"),
                     "Hi Bcc: x y|");
    templates_destroy(&templates);
}

Test(templates, uses)
{
    struct templates *templates = templates_of(
        "{\"all\":{\"title\":\"T\",\"body\":\"B\",\"sms\":\"S\",\"subject\":\"J\",\"email\":\"E\"},"
        "\"default\":{\"title\":\"t\",\"body\":\"b\"},"
        "\"v\":{\"title\":\"T\",\"body\":\"B\",\"sms\":\"S\",\"email\":\"E\",\"variants\":{\"field\":\"a.b\","
        "\"1\":{\"body\":\"B1\"},\"2\":{\"title\":\"T2\"},\"field2\":{\"subject\":\"J3\",\"sms\":\"S3\"}}}}",
        NULL, NULL);
    static const struct {
        const char *type, *data, *push, *sms, *email;
    } rows[] = {
        {"all", "{}", "T|B", "|S", "J|E"},
        {"none", "{}", "t|b", "|b", "t|b"},
        {"v", "{}", "T|B", "|S", "T|E"},
        {"v", "{\"a\":{\"b\":\"9\"}}", "T|B", "|S", "T|E"},
        {"v", "{\"a\":{\"b\":1}}", "T|B", "|S", "T|E"}, /* a number is no text */
        {"v", "{\"a\":{\"b\":\"1\"}}", "T|B1", "|B1", "T|B1"},
        {"v", "{\"a\":{\"b\":\"2\"}}", "T2|B", "|S", "T2|E"},
        {"v", "{\"a\":{\"b\":\"field2\"}}", "T|B", "|S3", "J3|E"},
        {"v", "{\"a\":{\"b\":\"field\"}}", "T|B", "|S", "T|E"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_str_eq(rendered(templates, TEMPLATE_PUSH, rows[i].type, "en", "", rows[i].data), rows[i].push);
        cr_expect_str_eq(rendered(templates, TEMPLATE_SMS, rows[i].type, "en", "", rows[i].data), rows[i].sms);
        cr_expect_str_eq(rendered(templates, TEMPLATE_EMAIL, rows[i].type, "en", "", rows[i].data), rows[i].email);
    }
    templates_destroy(&templates);
}

Test(templates, languages_fall_back)
{
    struct templates *templates = templates_of(
        "{\"a\":{\"title\":\"en\",\"body\":\"{t|time}\"},\"b\":{\"title\":\"en b\",\"body\":\"{t|time}\"},"
        "\"default\":{\"title\":\"en default\",\"body\":\"{t|time}\"}}",
        "{\"a\":{\"title\":\"de\",\"body\":\"{t|time}\"},\"default\":{\"title\":\"de default\",\"body\":\"{t|time}\"}}",
        "{\"c\":{\"title\":\"de-CH c\",\"body\":\"{t|time}\"}}");
    static const char *const rows[][3] = {
        {"a", "en", "en|6:05 PM"},
        {"a", "en-GB", "en|18:05"},
        {"a", "de", "de|18:05"},
        {"a", "DE-at", "de|18:05"},
        {"a", "de-CH-1996", "de|18:05"},
        {"c", "de-ch", "de-CH c|18:05"},
        {"c", "de-CH-1996", "de-CH c|18:05"},
        {"c", "de", "de default|18:05"},
        {"b", "de", "de default|18:05"}, /* one's own language goes first */
        {"b", "ja", "en b|6:05 PM"},     /* the time is English too */
        {"x", "ja", "en default|6:05 PM"},
        {"a", "", "en|6:05 PM"},
        {"a", "-", "en|6:05 PM"},
        {"a", "dee", "en|6:05 PM"},
        {"a", "de-x-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd", "en|6:05 PM"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        cr_expect_str_eq(
            rendered(templates, TEMPLATE_PUSH, rows[i][0], rows[i][1], "", "{\"t\":\"2025-01-15T18:05:00Z\"}"),
            rows[i][2], "%s in %s", rows[i][0], rows[i][1]);
    templates_destroy(&templates);
}

Test(templates, without_data_and_without_templates)
{
    struct strbuf title, body;
    strbuf_init(&title, 0);
    strbuf_init(&body, 0);
    struct templates *templates = templates_of("{\"default\":{\"title\":\"t{a}\",\"body\":\"b\"}}", NULL, NULL);
    templates_render(templates, TEMPLATE_PUSH, "x", "en", "", NULL, &title, &body);
    cr_expect_str_eq(title.data, "t");
    templates_destroy(&templates);
    templates = templates_create("en");
    templates_render(templates, TEMPLATE_PUSH, "x", "en", "", NULL, &title, &body);
    cr_expect(title.length == 0 && body.length == 0);
    templates_destroy(&templates);
    strbuf_finish(&title);
    strbuf_finish(&body);
}

#define ENTRY(more) "{\"a\":{\"title\":\"t\",\"body\":\"b\"," more "}}"

Test(templates, errors_name_the_type)
{
    static const char names[] = "a field's name consists of letters, digits, _ and -, with dots between";
    static const struct {
        const char *json, *problem, *more;
    } rows[] = {
        {"", "must be one JSON object in UTF-8", ""},
        {"[]", "must be one JSON object in UTF-8", ""},
        {"{} {}", "must be one JSON object in UTF-8", ""},
        {"{\"\xff\":1}", "must be one JSON object in UTF-8", ""},
        {"{\"a\":1}", "a: must be an object", ""},
        {"{\"a\":{}}", "a.title: is missing", ""},
        {"{\"a\":{\"title\":\"t\"}}", "a.body: is missing", ""},
        {"{\"a\":{\"title\":7}}", "a.title: must be a text of at most 4096 bytes", ""},
        {ENTRY("\"Sms\":\"\""), "a.Sms: is not one of title, body, sms, subject, email, variants", ""},
        {ENTRY("\"title\":\"\""), "a.title: stands there twice", ""},
        {"{\"a\":{\"title\":\"\",\"body\":\"\"},\"a\":{}}", "a: stands there twice", ""},
        {ENTRY("\"sms\":\"{\""), "a.sms: { without }; a brace itself is {{", ""},
        {ENTRY("\"sms\":\"{a\""), "a.sms: { without }; a brace itself is {{", ""},
        {ENTRY("\"sms\":\"{a{b}\""), "a.sms: { without }; a brace itself is {{", ""},
        {ENTRY("\"sms\":\"a}\""), "a.sms: } without {; a brace itself is }}", ""},
        {ENTRY("\"sms\":\"{}\""), "a.sms: ", names},
        {ENTRY("\"sms\":\"{a b}\""), "a.sms: ", names},
        {ENTRY("\"sms\":\"{.a}\""), "a.sms: ", names},
        {ENTRY("\"sms\":\"{a.}\""), "a.sms: ", names},
        {ENTRY("\"sms\":\"{a..b}\""), "a.sms: ", names},
        {ENTRY("\"sms\":\"{|time}\""), "a.sms: ", names},
        {ENTRY("\"sms\":\"{a|}\""), "a.sms: behind | stands time, date or datetime", ""},
        {ENTRY("\"sms\":\"{a|Time}\""), "a.sms: behind | stands time, date or datetime", ""},
        {ENTRY("\"variants\":1"), "a.variants: must be one object", ""},
        {ENTRY("\"variants\":{}"), "a.variants.field: must be the name of a field", ""},
        {ENTRY("\"variants\":{\"field\":\"{x}\"}"), "a.variants.field: must be the name of a field", ""},
        {ENTRY("\"variants\":{\"field\":\"s\",\"x\":\"text\"}"), "a.variants.x: must be an object of texts", ""},
        {ENTRY("\"variants\":{\"field\":\"s\",\"x\":{}}"), "a.variants.x: must be an object of texts", ""},
        {ENTRY("\"variants\":{\"field\":\"s\",\"x\":{\"body\":\"}\"}}"),
         "a.variants.x.body: } without {; a brace itself is }}", ""},
        {ENTRY("\"variants\":{\"field\":\"s\",\"x\":{\"body\":\"\"},\"x\":{\"body\":\"\"}}"),
         "a.variants.x: stands there twice", ""},
        {ENTRY("\"variants\":{\"field\":\"s\"},\"variants\":{\"field\":\"s\"}"), "a.variants: must be one object", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct templates *templates = templates_create("en");
        struct strbuf error, expected;
        strbuf_init(&error, 64);
        strbuf_init(&expected, 64);
        strbuf_appendf(&expected, "%s%s", rows[i].problem, rows[i].more);
        cr_expect_not(templates_add(templates, "en", rows[i].json, strlen(rows[i].json), &error), "%s", rows[i].json);
        cr_expect_str_eq(error.data, expected.data, "%s: %s", rows[i].json, error.data);
        strbuf_finish(&error);
        strbuf_finish(&expected);
        templates_destroy(&templates);
    }
}

/* --- folders --- */

static char folder[128];

static void open_folder(void)
{
    test_folder_template(folder, sizeof(folder), "templates");
    cr_assert_not_null(mkdtemp(folder));
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (text == NULL) {
        unlink(path);
        return;
    }
    FILE *stream = fopen(path, "w");
    cr_assert_not_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static void expect_load_error(const char *from, const char *default_locale, const char *expected)
{
    struct strbuf error;
    strbuf_init(&error, 64);
    struct templates *templates = templates_load(from, default_locale, &error);
    cr_expect_null(templates);
    cr_expect(strstr(error.data, expected) != NULL, "%s", error.data);
    templates_destroy(&templates);
    strbuf_finish(&error);
}

#define GOOD "{\"default\":{\"title\":\"t\",\"body\":\"b\"}}"

Test(templates, folders, .init = open_folder)
{
    expect_load_error("/nonexistent", "en", "/nonexistent: No such file or directory");
    expect_load_error(folder, "en", "has no file for the default locale");
    put("en.json", "{\"a\":{\"title\":\"t\",\"body\":\"b\"}}");
    expect_load_error(folder, "en", "the default locale's file has no \"default\"");
    put("en.json", GOOD);
    put("README.md", "not a locale");
    put(".hidden.json", "{");
    struct strbuf error;
    strbuf_init(&error, 64);
    struct templates *templates = templates_load(folder, "EN", &error);
    cr_assert_not_null(templates, "%s", error.data);
    cr_expect_str_eq(error.data, "");
    templates_destroy(&templates);
    strbuf_finish(&error);
    expect_load_error(folder, "fr", "has no file for the default locale");
    put("de.json", "{\"a\":{\"title\":\"{\",\"body\":\"b\"}}");
    expect_load_error(folder, "en", "de.json: a.title: { without }");
    put("de.json", NULL);
    put("en_US.json", GOOD);
    expect_load_error(folder, "en", "en_US.json: en_US: the file's name must be a language tag");
    put("en_US.json", NULL);
    put("EN.json", GOOD);
    expect_load_error(folder, "en", "there are two files for it");
    put("EN.json", NULL);
    put("en.json", NULL);
    put("README.md", NULL);
    put(".hidden.json", NULL);
    cr_expect_eq(rmdir(folder), 0);
}

/* --- what is shipped --- */

static const char *const types[] = {
    "assignment_offer", "assignment_withdrawn", "booking_status_changed", "policy_notice",
    "driver_offline",   "driver_wake",          "chat_message",           "default"};
static const char *const statuses[] = {
    "requested", "assigned", "driver_en_route_pickup", "driver_arrived", "in_progress", "completed", "cancelled"};

static void check_shipped(struct templates *templates, const char *locale, const char *type, const char *status)
{
    char data[256];
    snprintf(data, sizeof(data),
             "{\"booking_id\":\"b\",\"driver_id\":\"d\",\"status\":\"%s\",\"last_seen\":\"2025-01-15T18:05:00Z\","
             "\"content\":\"SECRET\"}",
             status);
    for (enum template_use use = TEMPLATE_PUSH; use <= TEMPLATE_EMAIL; use++) {
        char *text = rendered(templates, use, type, locale, "Europe/Berlin", data), *bar = strchr(text, '|');
        cr_expect_null(strpbrk(text, "{}"), "%s %s: %s", locale, type, text);
        cr_expect_null(strstr(text, "SECRET"), "%s %s: %s", locale, type, text);
        if (str_equal(type, "driver_wake"))
            cr_expect_str_eq(text, "|", "it shows nothing");
        else
            cr_expect((use == TEMPLATE_SMS ? bar == text : bar > text) && bar[1] != '\0', "%s %s: %s", locale, type,
                      text);
    }
}

static cJSON *shipped_file(const char *name)
{
    char path[512];
    static char text[65536];
    snprintf(path, sizeof(path), "%s/%s", TEMPLATES_DIR, name);
    FILE *stream = fopen(path, "r");
    cr_assert_not_null(stream, "%s", path);
    size_t length = fread(text, 1, sizeof(text), stream);
    fclose(stream);
    cJSON *root = cJSON_ParseWithLength(text, length);
    cr_assert_not_null(root, "%s", name);
    return root;
}

static size_t check_shipped_file(struct templates *templates, const char *name)
{
    char locale[64] = "";
    if (sscanf(name, "%63[^.].json", locale) != 1)
        return 0;
    cJSON *root = shipped_file(name);
    cr_expect_eq((size_t)cJSON_GetArraySize(root), ARRAY_LEN(types), "%s", name);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        cr_expect(cJSON_HasObjectItem(root, types[i]), "%s has no %s", name, types[i]);
        check_shipped(templates, locale, types[i], "unheard of");
    }
    const cJSON *variants = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "booking_status_changed"), "variants");
    cr_expect_eq((size_t)cJSON_GetArraySize(variants), ARRAY_LEN(statuses) + 1, "%s", name);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        cr_expect(cJSON_HasObjectItem(variants, statuses[i]), "%s has no %s", name, statuses[i]);
        check_shipped(templates, locale, "booking_status_changed", statuses[i]);
    }
    cJSON_Delete(root);
    return 1;
}

Test(templates, every_shipped_locale_has_every_text)
{
    struct strbuf error;
    strbuf_init(&error, 64);
    struct templates *templates = templates_load(TEMPLATES_DIR, "en", &error);
    cr_assert_not_null(templates, "%s", error.data);
    DIR *stream = opendir(TEMPLATES_DIR);
    size_t files = 0;
    for (const struct dirent *file; (file = readdir(stream)) != NULL;)
        if (file->d_name[0] != '.')
            files += check_shipped_file(templates, file->d_name);
    closedir(stream);
    cr_expect_eq(files, 6);
    cr_expect_str_eq(
        rendered(templates, TEMPLATE_PUSH, "booking_status_changed", "en", "", "{\"status\":\"cancelled\"}"),
        "Booking cancelled|This booking has been cancelled. Open the app for details.");
    cr_expect_str_eq(rendered(templates, TEMPLATE_PUSH, "chat_message", "ar-EG", "", "{}"),
                     "رسالة جديدة|لديك رسالة جديدة. افتح التطبيق لقراءتها.");
    cr_expect_str_eq(rendered(templates, TEMPLATE_PUSH, "driver_offline", "de-AT", "Europe/Vienna",
                              "{\"last_seen\":\"2025-07-15T18:05:00Z\"}"),
                     "Kein Kontakt zum Fahrer|Seit 20:05 haben wir nichts mehr vom Telefon des Fahrers gehört. "
                     "Wir versuchen weiter, es zu erreichen.");
    templates_destroy(&templates);
    strbuf_finish(&error);
}
