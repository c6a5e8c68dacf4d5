#include "tests/support/free_port.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 10000
#define LAST 65535
#define ROOM 2000 /* so many to choose from are enough */
#define TRIES 10000

static void outgoing_range(int *first_r, int *last_r)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file == NULL || fscanf(file, "%d %d", first_r, last_r) != 2) {
        *first_r = 32768;
        *last_r = 60999;
    }
    if (file != NULL)
        fclose(file);
    if (*first_r<FIRST + ROOM && * last_r> LAST - ROOM) {
        *first_r = LAST + 1; /* it leaves nothing: then any */
        *last_r = LAST + 1;
    }
}

static bool is_free(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool result = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return result;
}

/* An abstract socket is the lock: it needs no file and ends with the process. */
static bool reserve(int port)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "hansom-port-%d", port);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (bind(fd, (struct sockaddr *)&address, size) == 0)
        return true;
    close(fd);
    return false;
}

int free_port(void)
{
    int first = 0, last = 0;
    outgoing_range(&first, &last);
    for (int i = 0; i < TRIES; i++) {
        unsigned number = 0;
        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
            continue;
        int port = FIRST + (int)(number % (LAST - FIRST + 1));
        if ((port < first || port > last) && is_free(port) && reserve(port))
            return port;
    }
    abort();
}
