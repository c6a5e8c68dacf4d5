#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/token_bucket.h"
#include "log/log.h"
#include "arrival.h"

#define BACKLOG 4096
#define DEFER_ACCEPT_S 5
#define ACCEPTS_PER_TURN 64
#define USER_TIMEOUT_MS 20000
#define FORGET_EVERY_MS 60000
#define NO_DESCRIPTOR_PAUSE_MS 100

struct address_entry {
    struct listener *listener;
    uint32_t open;
    struct token_bucket connects;
};

struct listener {
    struct gateway *gateway;
    int fd;
    uint16_t port;
    uv_poll_t poll;
    uv_timer_t timer; /* forgets idle addresses; ends a pause */
    struct hashmap *addresses;
    uint64_t open_total, forgot_ms;
    bool is_stopped;
    unsigned open_handles;
};

static void on_acceptable(uv_poll_t *poll, int status, int events);

/* --- limits ------------------------------------------------------------------------------------------------------- */

static struct address_entry *address_of(struct listener *listener, const struct sockaddr_in *peer, uint64_t now_ms)
{
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &peer->sin_addr, text, sizeof(text));
    struct address_entry *entry = hashmap_get(listener->addresses, text);
    if (entry == NULL) {
        double rate = (double)listener->gateway->settings->max_connects_per_second_per_address;
        entry = mem_alloc(sizeof(*entry));
        entry->listener = listener;
        token_bucket_init(&entry->connects, rate, rate, now_ms);
        hashmap_set(listener->addresses, text, entry);
    }
    return entry;
}

static void refuse(struct listener *listener, int fd, enum refusal why)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\n"
                                 "Content-Type: application/problem+json\r\nContent-Length: 0\r\n\r\n";
    /* Best effort: a full socket of a brand-new connection is the peer's own affair. */
    ssize_t sent = send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        LOG_DEBUG("refusal_not_sent", LOG_INT("errno", errno));
    shutdown(fd, SHUT_WR);
    close(fd);
    metrics_add(listener->gateway->metrics, METRIC_GATEWAY_REFUSED, why, 0, 1);
}

static void prepare_socket(const struct gateway_settings *settings, int fd)
{
    int one = 1, buffer = (int)settings->send_buffer_bytes, timeout = USER_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

static void admit(struct listener *listener, int fd, const struct sockaddr_in *peer)
{
    const struct gateway_settings *settings = listener->gateway->settings;
    uint64_t now_ms = clock_monotonic_ms();
    struct address_entry *address = address_of(listener, peer, now_ms);
    if (listener->open_total >= (uint64_t)settings->max_connections) {
        refuse(listener, fd, REFUSED_TOTAL);
    } else if (address->open >= settings->max_connections_per_address) {
        refuse(listener, fd, REFUSED_ADDRESS);
    } else if (!token_bucket_take(&address->connects, 1, now_ms)) {
        refuse(listener, fd, REFUSED_RATE);
    } else {
        prepare_socket(settings, fd);
        address->open++;
        listener->open_total++;
        metrics_gauge_add(listener->gateway->metrics, METRIC_GATEWAY_SOCKETS, 0, 0, 1);
        arrivals_take(listener->gateway->arrivals, fd, address);
    }
}

void listener_left(struct address_entry *address)
{
    struct listener *listener = address->listener;
    address->open--;
    listener->open_total--;
    metrics_gauge_add(listener->gateway->metrics, METRIC_GATEWAY_SOCKETS, 0, 0, -1);
}

/* --- accepting ---------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void pause_accepting(struct listener *listener)
{
    metrics_add(listener->gateway->metrics, METRIC_GATEWAY_REFUSED, REFUSED_DESCRIPTORS, 0, 1);
    LOG_ERROR("no_descriptors", LOG_INT("open", listener->open_total));
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->timer, on_timer, NO_DESCRIPTOR_PAUSE_MS, FORGET_EVERY_MS);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_in peer = {0};
        socklen_t length = sizeof(peer);
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(listener, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(listener);
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

static void forget_idle(void *context, const char *key, void *value)
{
    struct listener *listener = context;
    struct address_entry *entry = value;
    if (entry->open > 0)
        return;
    hashmap_remove(listener->addresses, key);
    mem_free(entry);
}

static void on_timer(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    if (!listener->is_stopped)
        uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms - listener->forgot_ms < FORGET_EVERY_MS)
        return;
    listener->forgot_ms = now_ms;
    hashmap_each(listener->addresses, forget_idle, listener);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int open_socket(const struct gateway_settings *settings, uint16_t *port_r, struct strbuf *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)settings->port)};
    if (inet_pton(AF_INET, settings->listen_address, &address.sin_addr) != 1) {
        strbuf_appendf(error, "listen_address %s: not an IPv4 address", settings->listen_address);
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    socklen_t length = sizeof(address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    int defer_s = DEFER_ACCEPT_S; /* accepted together with its first bytes, as a rule */
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        strbuf_appendf(error, "port %lld on %s: %s", (long long)settings->port, settings->listen_address,
                       strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port_r = ntohs(address.sin_port);
    return fd;
}

struct listener *listener_create(struct gateway *gateway, struct strbuf *error)
{
    uint16_t port = 0;
    int fd = open_socket(gateway->settings, &port, error);
    if (fd < 0)
        return NULL;
    struct listener *listener = mem_alloc(sizeof(*listener));
    listener->gateway = gateway;
    listener->fd = fd;
    listener->port = port;
    listener->addresses = hashmap_create();
    listener->forgot_ms = clock_monotonic_ms();
    uv_poll_init(gateway->loop, &listener->poll, fd);
    uv_timer_init(gateway->loop, &listener->timer);
    listener->poll.data = listener->timer.data = listener;
    listener->open_handles = 2;
    uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    uv_timer_start(&listener->timer, on_timer, FORGET_EVERY_MS, FORGET_EVERY_MS);
    LOG_INFO("listening", LOG_STR("address", gateway->settings->listen_address), LOG_INT("port", port));
    return listener;
}

void listener_stop(struct listener *listener)
{
    if (listener->is_stopped)
        return;
    listener->is_stopped = true;
    uv_poll_stop(&listener->poll);
    close(listener->fd);
}

static void free_each(void *context, const char *key, void *value)
{
    (void)context;
    (void)key;
    mem_free(value);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->open_handles == 0)
        mem_free(listener);
}

void listener_destroy(struct listener **listener_pointer)
{
    struct listener *listener = *listener_pointer;
    *listener_pointer = NULL;
    if (listener == NULL)
        return;
    listener_stop(listener);
    hashmap_each(listener->addresses, free_each, NULL);
    hashmap_destroy(&listener->addresses);
    uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
    uv_close((uv_handle_t *)&listener->timer, on_handle_closed);
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}
