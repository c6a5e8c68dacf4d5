#include "tests/support/nats_fixture.h"
#include "tests/support/free_port.h"
#include "tests/support/test_folder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 9000 /* of 10 ms */

static const char *find_server(void)
{
    static const char *const places[] = {"/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static bool accepts(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool result = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return result;
}

static void run_server(const struct nats_fixture *fixture)
{
    char port[16], log_file[160];
    snprintf(port, sizeof(port), "%d", fixture->port);
    snprintf(log_file, sizeof(log_file), "%s/log", fixture->folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(find_server(), "nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd", fixture->folder, "-l", log_file,
          (char *)NULL);
    _exit(127);
}

void nats_fixture_restart(struct nats_fixture *fixture)
{
    fixture->pid = fork();
    if (fixture->pid == 0)
        run_server(fixture);
    for (int i = 0; i < START_TRIES; i++) {
        if (accepts(fixture->port))
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    abort();
}

bool nats_fixture_start(struct nats_fixture *fixture)
{
    if (find_server() == NULL)
        return false;
    test_folder_template(fixture->folder, sizeof(fixture->folder), "nats");
    if (mkdtemp(fixture->folder) == NULL)
        abort();
    fixture->port = free_port();
    snprintf(fixture->url, sizeof(fixture->url), "nats://127.0.0.1:%d", fixture->port);
    nats_fixture_restart(fixture);
    return true;
}

void nats_fixture_kill(struct nats_fixture *fixture)
{
    kill(fixture->pid, SIGKILL);
    while (waitpid(fixture->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void nats_fixture_stop(struct nats_fixture *fixture)
{
    nats_fixture_kill(fixture);
    nftw(fixture->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
