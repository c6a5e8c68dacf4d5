#ifndef HANSOM_NATS_FIXTURE_H
#define HANSOM_NATS_FIXTURE_H
/* A real nats-server with JetStream on a free port and a folder of its own, for tests. */
#include <stdbool.h>
#include <sys/types.h>

struct nats_fixture {
    pid_t pid;
    int port;
    char folder[128];
    char url[64];
};

/* False when nats-server is not installed; anything else that goes wrong aborts the test. The server dies with the
 * test's process. */
bool nats_fixture_start(struct nats_fixture *fixture);
/* SIGKILL, and started again on the same port and folder. */
void nats_fixture_kill(struct nats_fixture *fixture);
void nats_fixture_restart(struct nats_fixture *fixture);
/* Ends it and removes the folder. */
void nats_fixture_stop(struct nats_fixture *fixture);

#endif
