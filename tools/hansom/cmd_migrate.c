#include <getopt.h>
#include <stdio.h>

#include "command.h"
#include "options.h"
#include "pg/migrate.h"

static const char usage[] = "usage: hansom migrate [--database URL] [--dir DIR]\n\n"
                            "Applies the numbered SQL files of DIR that the database does not have yet.\n\n"
                            "  --database URL      postgresql://... (HANSOM_POSTGRES_URL)\n"
                            "  --dir DIR           folder of the files (migrations)\n";

struct migrate_options {
    const char *database, *folder;
};

static const struct option_row option_rows[] = {
    OPTION("database", struct migrate_options, database),
    OPTION("dir", struct migrate_options, folder),
    OPTIONS_END,
};

static void on_applied(void *context, const char *name)
{
    (void)context;
    printf("applied %s\n", name);
}

static int run(const char *database, const char *folder)
{
    char *error = NULL;
    unsigned applied = 0;
    if (!migrate_run(database, folder, on_applied, NULL, &applied, &error)) {
        fprintf(stderr, "hansom: %s\n", error);
        mem_free(error);
        return EXIT_RUNTIME;
    }
    printf("%u applied; up to date\n", applied);
    return EXIT_OK;
}

int cmd_migrate(int argc, char **argv)
{
    struct migrate_options options = {.database = getenv("HANSOM_POSTGRES_URL"), .folder = "migrations"};
    int exit_code = options_parse(argc, argv, usage, option_rows, &options);
    if (exit_code >= 0)
        return exit_code;
    if (options.database == NULL || optind != argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return run(options.database, options.folder);
}
