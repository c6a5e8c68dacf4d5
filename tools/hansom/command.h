#ifndef HANSOM_COMMAND_H
#define HANSOM_COMMAND_H
/* The commands of the tool. Each is one file, cmd_NAME.c, and one row in commands.def. */
#include "base/base.h"

enum { EXIT_OK = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 2 };

struct command {
    const char *name, *summary;
    /* argv[0] is the command's own name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

#define COMMAND(name, summary) int cmd_##name(int argc, char **argv);
#include "commands.def"
#undef COMMAND

#endif
