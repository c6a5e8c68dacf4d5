#include "tests/support/pg_fixture.h"
#include "tests/support/free_port.h"
#include "tests/support/test_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin/"
#define START_TRIES 4500 /* of 20 ms */

/* PostgreSQL refuses to run as root. */
static const struct passwd *server_user(void)
{
    if (geteuid() != 0)
        return NULL;
    const struct passwd *user = getpwnam("postgres");
    return user != NULL ? user : getpwnam("nobody");
}

static void become_server_user(void)
{
    const struct passwd *user = server_user();
    if (user != NULL && (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

static void redirect_output(const struct pg_fixture *fixture)
{
    char log_file[160];
    snprintf(log_file, sizeof(log_file), "%s/log", fixture->folder);
    int log = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(log, 1);
    dup2(log, 2);
}

static void exec_initdb(const struct pg_fixture *fixture)
{
    char data[160];
    snprintf(data, sizeof(data), "%s/data", fixture->folder);
    execl(BIN "initdb", "initdb", "-D", data, "-U", "hansom", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
          "--no-instructions", (char *)NULL);
}

static void exec_server(const struct pg_fixture *fixture)
{
    char data[160], port[16];
    snprintf(data, sizeof(data), "%s/data", fixture->folder);
    snprintf(port, sizeof(port), "%d", fixture->port);
    execl(BIN "postgres", "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", fixture->folder, "-F", "-c",
          "max_connections=30", "-c", "shared_buffers=16MB", (char *)NULL);
}

static pid_t spawn(const struct pg_fixture *fixture, void (*exec_program)(const struct pg_fixture *))
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setpgid(0, 0);
    become_server_user();
    redirect_output(fixture);
    exec_program(fixture);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

void pg_fixture_restart(struct pg_fixture *fixture)
{
    fixture->pid = spawn(fixture, exec_server);
    for (int i = 0; i < START_TRIES; i++) {
        if (PQping(fixture->url) == PQPING_OK)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    abort();
}

bool pg_fixture_start(struct pg_fixture *fixture)
{
    if (access(BIN "initdb", X_OK) != 0)
        return false;
    test_folder_template(fixture->folder, sizeof(fixture->folder), "pg");
    if (mkdtemp(fixture->folder) == NULL)
        abort();
    const struct passwd *user = server_user();
    if (user != NULL && chown(fixture->folder, user->pw_uid, user->pw_gid) != 0)
        abort();
    fixture->port = free_port();
    snprintf(fixture->url, sizeof(fixture->url), "postgresql://hansom@127.0.0.1:%d/postgres", fixture->port);
    if (wait_for(spawn(fixture, exec_initdb)) != 0)
        abort();
    pg_fixture_restart(fixture);
    return true;
}

void pg_fixture_kill(struct pg_fixture *fixture)
{
    kill(fixture->pid, SIGQUIT);
    wait_for(fixture->pid);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void pg_fixture_stop(struct pg_fixture *fixture)
{
    pg_fixture_kill(fixture);
    nftw(fixture->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
