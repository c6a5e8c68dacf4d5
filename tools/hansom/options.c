#include "options.h"

#include <getopt.h>
#include <stdio.h>

#include "command.h"

static size_t count_rows(const struct option_row *rows)
{
    size_t count = 0;
    while (rows[count].name != NULL)
        count++;
    return count;
}

/* What getopt_long wants: the rows, --help, and an end; mem_free. */
static struct option *long_options_of(const struct option_row *rows, size_t count)
{
    struct option *options = mem_alloc((count + 2) * sizeof(*options));
    for (size_t i = 0; i < count; i++)
        options[i] = (struct option){rows[i].name, rows[i].is_flag ? no_argument : required_argument, NULL, 0};
    options[count] = (struct option){"help", no_argument, NULL, 0};
    return options;
}

static void take(const struct option_row *row, void *values)
{
    void *field = (char *)values + row->offset;
    if (row->is_flag)
        *(bool *)field = true;
    else
        *(const char **)field = optarg;
}

int options_parse(int argc, char **argv, const char *usage, const struct option_row *rows, void *values)
{
    size_t count = count_rows(rows);
    struct option *options = long_options_of(rows, count);
    int exit_code = -1;
    for (int index = 0; exit_code < 0;) {
        int result = getopt_long(argc, argv, "", options, &index);
        if (result == -1)
            break;
        if (result != 0)
            exit_code = EXIT_USAGE;
        else if ((size_t)index == count)
            exit_code = EXIT_OK;
        else
            take(&rows[index], values);
    }
    if (exit_code == EXIT_OK)
        fputs(usage, stdout);
    mem_free(options);
    return exit_code;
}
