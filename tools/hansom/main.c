#include "command.h"

static const struct command commands[] = {
#define COMMAND(name, summary) {#name, summary, cmd_##name},
#include "commands.def"
#undef COMMAND
};

static void print_usage(FILE *stream)
{
    fprintf(stream, "usage: hansom COMMAND [options]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(stream, "\nhansom COMMAND --help says more.\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_equal(commands[i].name, name))
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name == NULL || str_equal(name, "--help") || str_equal(name, "help")) {
        print_usage(name == NULL ? stderr : stdout);
        return name == NULL ? EXIT_USAGE : EXIT_OK;
    }
    if (str_equal(name, "--version")) {
        printf("hansom %s\n", HANSOM_VERSION);
        return EXIT_OK;
    }
    const struct command *command = find_command(name);
    if (command == NULL) {
        fprintf(stderr, "hansom: there is no command '%s'; hansom --help lists them\n", name);
        return EXIT_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}
