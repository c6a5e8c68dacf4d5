#ifndef HANSOM_CHATBENCH_H
#define HANSOM_CHATBENCH_H
/* The commands of chatbench: each gets its own arguments, prints one JSON object and returns an exit status. */
#include "base/base.h"

#define EXIT_GOOD 0
#define EXIT_BAD 1
#define EXIT_USAGE 2

int command_talk(int argc, char **argv);
int command_fill(int argc, char **argv);
int command_ask(int argc, char **argv);

/* optarg as a number; says what is wrong with it. */
MUST_CHECK bool take_number(const char *name, double min, double max, double *value_r);

#endif
