#ifndef HANSOM_PG_FIXTURE_H
#define HANSOM_PG_FIXTURE_H
/* A real PostgreSQL on a free port and in a folder of its own, for tests. */
#include <stdbool.h>
#include <sys/types.h>

struct pg_fixture {
    pid_t pid;
    int port;
    char folder[128];
    char url[160];
};

/* False when PostgreSQL is not installed; anything else that goes wrong aborts the test. The server dies with the
 * test's process; when that runs as root, the server runs as postgres or nobody. */
bool pg_fixture_start(struct pg_fixture *fixture);
/* SIGQUIT, an immediate end as of a crash; and started again on the same port and folder. */
void pg_fixture_kill(struct pg_fixture *fixture);
void pg_fixture_restart(struct pg_fixture *fixture);
/* Ends it and removes the folder. */
void pg_fixture_stop(struct pg_fixture *fixture);

#endif
