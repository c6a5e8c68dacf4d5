#include <criterion/criterion.h>
#include <unistd.h>

#include "settings/settings.h"
#include "tests/support/test_folder.h"

struct sample {
    int64_t port;
    double rate, size;
    bool is_open;
    char *title, *api_key, *url;
    int colour;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct setting rows[] = {
    SETTING_INT(struct sample, port, 8080, 0, 65535, "", "TCP port", 0),
    SETTING_DOUBLE(struct sample, rate, 0.5, 0, 100, "/s", "How often", SETTING_RELOADABLE),
    SETTING_BOOL(struct sample, is_open, false, "Whether it is open", 0),
    SETTING_STRING(struct sample, title, "none", 10, "A title, as \"a|b\"", 0),
    SETTING_DOUBLE(struct sample, size, 1, 0.01, 10737418240, "bytes", "A size", 0),
    SETTING_STRING(struct sample, api_key, "", 40, "A secret", SETTING_SECRET),
    SETTING_STRING(struct sample, url, "here", 40, "An address", SETTING_REQUIRED),
    SETTING_ENUM(struct sample, colour, "green", colours, "A colour", 0),
};

static struct sample values;
static struct settings_group group;
static struct strbuf errors, text;
static char path[128];

static void make(void)
{
    values = (struct sample){0};
    group = (struct settings_group){
        .title = "Sample", .rows = rows, .count = ARRAY_LEN(rows), .values = &values, .values_size = sizeof(values)};
    strbuf_init(&errors, 0);
    strbuf_init(&text, 0);
    path[0] = '\0';
}

static void drop(void)
{
    settings_free(&group, 1);
    strbuf_finish(&errors);
    strbuf_finish(&text);
    if (path[0] != '\0')
        unlink(path);
}

TestSuite(settings, .init = make, .fini = drop);

static void write_file(const char *content)
{
    test_folder_template(path, sizeof(path), "settings");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

#define LOAD(...) load((char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
static bool load(char *argv[])
{
    int count = 0;
    while (argv[count] != NULL)
        count++;
    settings_free(&group, 1);
    strbuf_clear(&errors);
    bool is_good = settings_load(&group, 1, count, argv, &errors);
    cr_assert_eq(is_good, errors.length == 0, "%s", errors.data);
    return is_good;
}

static void expect_error(const char *part)
{
    cr_assert_not_null(strstr(errors.data, part), "\"%s\" is not in: %s", part, errors.data);
}

Test(settings, defaults)
{
    cr_assert(LOAD());
    cr_assert_eq(values.port, 8080);
    cr_assert_eq(values.rate, 0.5);
    cr_assert_not(values.is_open);
    cr_assert_str_eq(values.title, "none");
    cr_assert_str_eq(values.api_key, "");
    cr_assert_eq(values.colour, 1);
}

Test(settings, the_file_the_environment_and_the_command_line_win_in_this_order)
{
    write_file("# a comment\n\n port = 1 \nrate=2.5\r\ntitle = a = b\ncolour = blue\n");
    setenv("HANSOM_PORT", "2", 1);
    setenv("HANSOM_TITLE", "env", 1);
    setenv("HANSOM_NOT_OURS", "x", 1);
    cr_assert(LOAD("--config", path, "--port=3"), "%s", errors.data);
    cr_assert_eq(values.port, 3);
    cr_assert_str_eq(values.title, "env");
    cr_assert_eq(values.rate, 2.5);
    cr_assert_eq(values.colour, 2);
    unsetenv("HANSOM_TITLE");
    cr_assert(LOAD("--port=3", "--config", path));
    cr_assert_eq(values.port, 3, "the place of --config among the arguments does not matter");
    cr_assert_str_eq(values.title, "a = b");
}

Test(settings, forms_of_arguments)
{
    cr_assert(LOAD("--port", "7", "--is-open", "--title=", "--colour=red"), "%s", errors.data);
    cr_assert_eq(values.port, 7);
    cr_assert(values.is_open);
    cr_assert_str_eq(values.title, "");
    cr_assert_eq(values.colour, 0);
    cr_assert(LOAD("--is_open=no"));
    cr_assert_not(values.is_open);
}

Test(settings, numbers_are_strict)
{
    static const char *const wrong[] = {"",   " 5",  "5 ",    "+5",    "5x",  "0x10",
                                        "-1", "1e3", "65536", "70000", "5.0", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        setenv("HANSOM_PORT", wrong[i], 1);
        cr_assert_not(LOAD(), "\"%s\" was taken", wrong[i]);
        expect_error("port");
        expect_error("HANSOM_PORT");
        expect_error("0 to 65535");
    }
    unsetenv("HANSOM_PORT");
    static const char *const wrong_doubles[] = {"", "nan", "inf", "0x1", "-0.1", "100.1", "1,5", " 1", "1e999", "."};
    for (size_t i = 0; i < ARRAY_LEN(wrong_doubles); i++) {
        setenv("HANSOM_RATE", wrong_doubles[i], 1);
        cr_assert_not(LOAD(), "\"%s\" was taken", wrong_doubles[i]);
        expect_error("HANSOM_RATE");
    }
    setenv("HANSOM_RATE", "1e1", 1);
    cr_assert(LOAD("--port=65535"));
    cr_assert_eq(values.rate, 10);
    cr_assert_eq(values.port, 65535);
}

Test(settings, what_is_unknown_is_an_error_with_its_source)
{
    write_file("port = 1\nprot = 2\nno equals sign\n");
    cr_assert_not(LOAD("--config", path, "--nothing=1", "stray"));
    struct strbuf source;
    strbuf_init(&source, 0);
    strbuf_appendf(&source, "prot (%s:2): there is no such setting", path);
    expect_error(source.data);
    strbuf_clear(&source);
    strbuf_appendf(&source, "no (%s:3): must be", path);
    expect_error(source.data);
    expect_error("nothing (command line): there is no such setting");
    expect_error("stray (command line): not an option");
    strbuf_finish(&source);
}

Test(settings, every_problem_is_told_at_once)
{
    cr_assert_not(LOAD("--port=x", "--colour=pink", "--is-open=perhaps", "--title=12345678901", "--url="));
    expect_error("port");
    expect_error("red green blue");
    expect_error("true or false");
    expect_error("at most 10");
    expect_error("url (not given)");
}

Test(settings, an_option_needs_its_value)
{
    cr_assert_not(LOAD("--port"));
    expect_error("needs a value");
    cr_assert_not(LOAD("--config"));
    expect_error("needs a value");
    cr_assert_not(LOAD("--unknown"));
    expect_error("no such setting");
    cr_assert_not(LOAD("--CONFIG=/nowhere"));
    expect_error("no such setting");
}

Test(settings, a_config_file_that_is_not_there)
{
    cr_assert_not(LOAD("--config=/nowhere/hansom.conf"));
    expect_error("/nowhere/hansom.conf: No such file");
}

Test(settings, secrets_come_from_files_too)
{
    write_file("s3cret\n");
    char argument[160];
    snprintf(argument, sizeof(argument), "--api-key-file=%s", path);
    cr_assert(LOAD(argument), "%s", errors.data);
    cr_assert_str_eq(values.api_key, "s3cret");
    setenv("HANSOM_API_KEY_FILE", path, 1);
    cr_assert(LOAD());
    cr_assert_str_eq(values.api_key, "s3cret");
    cr_assert(LOAD("--api-key=other"));
    cr_assert_str_eq(values.api_key, "other", "the command line wins over the environment's file");
    unsetenv("HANSOM_API_KEY_FILE");
    cr_assert_not(LOAD("--api-key-file=/nowhere/key"));
    expect_error("/nowhere/key");
    cr_assert_not(LOAD("--title-file=x"), "only secrets have _file");
}

Test(settings, secrets_are_never_shown)
{
    cr_assert(LOAD("--api-key=s3cret"));
    settings_print(&group, 1, &text);
    settings_help(&group, 1, &text);
    settings_markdown(&group, 1, &text);
    cr_assert_null(strstr(text.data, "s3cret"));
    cr_assert_not(LOAD("--api-key=s3cret-that-is-much-longer-than-the-forty-allowed"));
    cr_assert_null(strstr(errors.data, "s3cret"));
    write_file("api_key s3cret\n");
    cr_assert_not(LOAD("--config", path));
    cr_assert_null(strstr(errors.data, "s3cret"));
}

Test(settings, what_is_printed_reads_back)
{
    cr_assert(LOAD("--port=9", "--rate=0.125", "--is-open", "--title=a b", "--colour=blue"));
    settings_print(&group, 1, &text);
    write_file(text.data);
    cr_assert(LOAD("--config", path), "%s", errors.data);
    struct strbuf again;
    strbuf_init(&again, 0);
    settings_print(&group, 1, &again);
    cr_assert_str_eq(again.data, text.data);
    cr_assert_not_null(strstr(again.data, "port = 9\nrate = 0.125\nis_open = true\ntitle = a b\n"));
    strbuf_finish(&again);
}

Test(settings, help_and_reference_name_every_row)
{
    settings_help(&group, 1, &text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        cr_assert_not_null(strstr(text.data, rows[i].name));
    cr_assert_not_null(strstr(text.data, "--port=0 to 65535"));
    cr_assert_not_null(strstr(text.data, "red|green|blue"));
    strbuf_clear(&text);
    settings_markdown(&group, 1, &text);
    cr_assert_not_null(strstr(text.data, "| `colour` | red\\|green\\|blue |  | green | A colour |\n"));
    cr_assert_not_null(strstr(text.data, "| `title` | text |  | none | A title, as \"a\\|b\" |\n"));
    cr_assert_not_null(strstr(text.data, "| `url` | text |  | here | An address. Required |\n"));
    cr_assert_not_null(strstr(text.data, "| A secret. Secret: also as `api_key_file` |\n"));
    cr_assert_not_null(strstr(text.data, "| `rate` | 0 to 100 | /s | 0.5 | How often. SIGHUP applies a change |\n"));
    cr_assert_not_null(strstr(text.data, "| `size` | 0.01 to 10737418240 |"), "a bound in full");
}
