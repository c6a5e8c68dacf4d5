#include <getopt.h>

#include "command.h"
#include "pg/migrate.h"

static const char usage[] = "usage: hansom migrate [--database URL] [--dir DIR]\n\n"
                            "Applies the numbered SQL files of DIR that the database does not have yet.\n\n"
                            "  --database URL      postgresql://... (HANSOM_POSTGRES_URL)\n"
                            "  --dir DIR           folder of the files (migrations)\n";

static const struct option long_options[] = {
    {"database", required_argument, NULL, 'b'},
    {"dir", required_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
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
    const char *database = getenv("HANSOM_POSTGRES_URL"), *folder = "migrations";
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 'b':
            database = optarg;
            break;
        case 'd':
            folder = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_OK;
        default:
            return EXIT_USAGE;
        }
    }
    if (database == NULL || optind != argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return run(database, folder);
}
