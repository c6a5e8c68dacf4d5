#include "chatbench.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static const char usage[] = "usage: chatbench talk|fill|ask [options]\n\n"
                            "  talk   conversations through the gateway at a steady rate, with every delay measured\n"
                            "  fill   chat items straight into stream CHAT, as fast as it takes them\n"
                            "  ask    pages of history from chat-store, for chats given on stdin\n\n"
                            "chatbench COMMAND --help lists the options.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {{"talk", command_talk}, {"fill", command_fill}, {"ask", command_ask}};

bool take_number(const char *name, double min, double max, double *value_r)
{
    char *stop;
    *value_r = strtod(optarg, &stop);
    if (*stop == '\0' && stop != optarg && *value_r >= min && *value_r <= max)
        return true;
    fprintf(stderr, "--%s: must be a number from %g to %g\n", name, min, max);
    return false;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (str_equal(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    fputs(usage, stderr);
    return EXIT_USAGE;
}
