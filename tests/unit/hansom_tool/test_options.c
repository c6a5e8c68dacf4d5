#include <criterion/criterion.h>
#include <getopt.h>

#include "command.h"
#include "internal_api.h"
#include "options.h"

struct values {
    struct internal_api api;
    const char *user, *note;
    bool is_critical;
};

static const struct option_row rows[] = {
    OPTION("user", struct values, user),
    OPTION("note", struct values, note),
    OPTION_FLAG("critical", struct values, is_critical),
    INTERNAL_OPTIONS(struct values),
    OPTIONS_END,
};

#define PARSE(values, ...) parse(values, (char *[]){"command", __VA_ARGS__, NULL})
static int parse(struct values *values, char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    optind = 1;
    return options_parse(argc, argv, "the usage\n", rows, values);
}

Test(options, fill_the_fields_and_leave_the_rest)
{
    struct values values = {.api = {"http://there", "key"}, .note = "as it was"};
    char *argv[] = {"command", "first", "--user", "ann", "--critical", "--api-key-file=x", "--", "--second", NULL};
    optind = 1;
    cr_assert_eq(options_parse(8, argv, "", rows, &values), -1);
    cr_assert_str_eq(values.user, "ann");
    cr_assert(values.is_critical);
    cr_assert_str_eq(values.note, "as it was");
    cr_assert_str_eq(values.api.url, "http://there");
    cr_assert_str_eq(values.api.api_key_file, "x");
    cr_assert_eq(optind, 6);
    cr_assert_str_eq(argv[6], "first");
    cr_assert_str_eq(argv[7], "--second");
}

Test(options, what_is_wrong_is_said_with_the_exit_code_of_usage)
{
    struct values values = {0};
    cr_assert_eq(PARSE(&values, "--unknown"), EXIT_USAGE);
    cr_assert_eq(PARSE(&values, "--user"), EXIT_USAGE);
    cr_assert_eq(PARSE(&values, "--critical=yes"), EXIT_USAGE);
    cr_assert_eq(PARSE(&values, "-u"), EXIT_USAGE);
    cr_assert_null(values.user);
    cr_assert_not(values.is_critical);
}

Test(options, help_ends_it)
{
    struct values values = {0};
    cr_assert_eq(PARSE(&values, "--user", "ann", "--help", "--unknown"), EXIT_OK);
    cr_assert_eq(PARSE(&values, "--user", "ann"), -1);
}
