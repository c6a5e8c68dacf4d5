#include "arrival.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "listener.h"
#include "ws_server.h"

struct arrival {
    struct list_node node;
    struct arrivals *owner;
    int fd;
    struct address_entry *address;
    uv_poll_t poll;
    struct wheel_timer deadline;
};

struct arrivals {
    struct gateway *gateway;
    struct list_node waiting;
};

enum head_state { HEAD_WHOLE, HEAD_PARTIAL, HEAD_BROKEN };

struct arrivals *arrivals_create(struct gateway *gateway)
{
    struct arrivals *arrivals = mem_alloc(sizeof(*arrivals));
    arrivals->gateway = gateway;
    list_init(&arrivals->waiting);
    return arrivals;
}

/* A head as large as we look at goes on as it is: the limit is libwebsockets' own, and so is the answer. */
static enum head_state peek_head(int fd, char *head, size_t *length_r)
{
    ssize_t got = recv(fd, head, ARRIVAL_HEAD_MAX, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return HEAD_PARTIAL;
    if (got <= 0)
        return HEAD_BROKEN;
    *length_r = (size_t)got;
    return got == ARRIVAL_HEAD_MAX || memmem(head, (size_t)got, "\r\n\r\n", 4) != NULL ? HEAD_WHOLE : HEAD_PARTIAL;
}

static void refuse(int fd, struct address_entry *address)
{
    close(fd);
    listener_left(address);
}

static void hand_over(struct arrivals *arrivals, int fd, struct address_entry *address, char *head, size_t length)
{
    struct strbuf moved;
    strbuf_init(&moved, length + 64);
    bool is_moved = arrival_move_token(head, length, &moved);
    /* What was peeked at is taken only when something else takes its place. */
    if (is_moved && recv(fd, head, length, MSG_DONTWAIT) != (ssize_t)length)
        refuse(fd, address);
    else
        ws_server_adopt(arrivals->gateway->server, fd, address, is_moved ? &moved : NULL);
    strbuf_finish(&moved);
}

static void on_poll_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void arrival_end(struct arrival *arrival)
{
    list_remove(&arrival->node);
    timer_wheel_stop(arrival->owner->gateway->wheel, &arrival->deadline);
    uv_poll_stop(&arrival->poll);
    uv_close((uv_handle_t *)&arrival->poll, on_poll_closed);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct arrival *arrival = poll->data;
    char head[ARRIVAL_HEAD_MAX];
    size_t length = 0;
    (void)events;
    enum head_state state = status < 0 ? HEAD_BROKEN : peek_head(arrival->fd, head, &length);
    if (state == HEAD_PARTIAL)
        return;
    struct arrivals *arrivals = arrival->owner;
    int fd = arrival->fd;
    struct address_entry *address = arrival->address;
    arrival_end(arrival);
    if (state == HEAD_WHOLE)
        hand_over(arrivals, fd, address, head, length);
    else
        refuse(fd, address);
}

static void on_deadline(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct arrival *arrival = context;
    int fd = arrival->fd;
    struct address_entry *address = arrival->address;
    arrival_end(arrival);
    refuse(fd, address);
}

void arrivals_take(struct arrivals *arrivals, int fd, struct address_entry *address)
{
    char head[ARRIVAL_HEAD_MAX];
    size_t length = 0;
    enum head_state state = peek_head(fd, head, &length);
    if (state == HEAD_WHOLE) {
        hand_over(arrivals, fd, address, head, length);
        return;
    }
    if (state == HEAD_BROKEN) {
        refuse(fd, address);
        return;
    }
    struct arrival *arrival = mem_alloc(sizeof(*arrival));
    arrival->owner = arrivals;
    arrival->fd = fd;
    arrival->address = address;
    list_append(&arrivals->waiting, &arrival->node);
    uv_poll_init(arrivals->gateway->loop, &arrival->poll, fd);
    arrival->poll.data = arrival;
    uv_poll_start(&arrival->poll, UV_READABLE | UV_DISCONNECT, on_readable);
    timer_wheel_start(arrivals->gateway->wheel, &arrival->deadline, clock_monotonic_ms() + ARRIVAL_TIMEOUT_MS,
                      on_deadline, arrival);
}

void arrivals_destroy(struct arrivals **arrivals_pointer)
{
    struct arrivals *arrivals = *arrivals_pointer;
    *arrivals_pointer = NULL;
    if (arrivals == NULL)
        return;
    while (!list_is_empty(&arrivals->waiting)) {
        struct arrival *arrival = CONTAINER_OF(arrivals->waiting.next, struct arrival, node);
        on_deadline(&arrival->deadline, arrival);
    }
    mem_free(arrivals);
}
