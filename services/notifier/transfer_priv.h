#ifndef HANSOM_TRANSFER_PRIV_H
#define HANSOM_TRANSFER_PRIV_H
/*
 * The parts of the transfer client:
 *   transfer.c       clients, requests, deadlines, what a result means
 *   transfer_easy.c  libcurl's handles: the options of a request and the callbacks that move its bytes
 *   transfer_host.c  one multi handle per peer on the loop; its connections and queue are its own, so that a peer that
 *                    does not answer keeps nobody else waiting, and what comes from outside never shares a connection
 *   transfer_mail.c  SMTP on threads of its own: libcurl 7.88 waits for the reply to a message's end without going back
 *                    to its caller (smtp_done)
 */
#include <curl/curl.h>
#include <stdatomic.h>

#include "base/hashmap.h"
#include "base/heap.h"
#include "base/list.h"
#include "transfer.h"

enum transfer_kind { TRANSFER_KIND_OWN, TRANSFER_KIND_FOREIGN, TRANSFER_KIND_MAIL, TRANSFER_KIND_COUNT };

struct host;
struct mailer;
struct mail_job;

struct transfer_client {
    uv_loop_t *loop;
    char *ca_file; /* "": none */
    unsigned connections_per_host, streams_per_connection;
    bool allows_private, is_closing;
    struct hashmap *hosts;      /* by key */
    struct list_node host_list; /* all of them, the least recently used first */
    size_t host_count;
    struct mailer *mailer;                      /* NULL before the first mail */
    struct list_node idle[TRANSFER_KIND_COUNT]; /* transfers to be used again */
    size_t idle_count;
    struct list_node under_way;
    size_t under_way_count;
    struct heap deadlines;
    uv_timer_t deadline_timer;
    unsigned holds; /* libuv handles, hosts and functions on the stack that still need it */
};

struct transfer {
    struct transfer_client *client;
    enum transfer_kind kind;
    struct list_node node; /* in idle or under_way */
    struct heap_node deadline;
    uint64_t ends_ms; /* the last one; before it may come the one until which it must have begun */
    bool is_late;     /* that one has passed */
    transfer_done_cb *callback;
    void *context;
    bool is_ended;        /* its callback runs, or has run */
    struct host *host;    /* HTTP, while it is under way */
    struct mail_job *job; /* mail, while it is under way */

    CURL *easy; /* HTTP */
    bool is_http2_only;
    bool has_refused_address, has_opened_socket;
    bool is_reply_full;
    struct strbuf text; /* header lines, one after the other, each with its zero */
    struct strbuf body, reply;
    size_t body_given; /* how much of the body libcurl has taken */
    struct curl_slist *header_nodes;
    size_t header_capacity;
    char problem[CURL_ERROR_SIZE];
};

/* transfer.c */
void transfer_client_hold(struct transfer_client *client);
/* Frees it when it is closing and nothing needs it any more. */
void transfer_client_release(struct transfer_client *client);
/* It has ended: out of all lists, its callback called, put back for the next. The caller holds the client. */
void transfer_end(struct transfer *transfer, const struct transfer_reply *reply);

/* transfer_easy.c */
CURL *transfer_easy_create(struct transfer *transfer);
void transfer_easy_prepare(struct transfer *transfer, const struct transfer_request *request);
/* Options that HTTP and mail have in common. */
void transfer_easy_set_common(CURL *easy, const struct transfer_client *client);
void transfer_set_long(CURL *easy, CURLoption option, long value);
void transfer_set_string(CURL *easy, CURLoption option, const char *value);
/* No control characters: nobody smuggles lines into a request. */
bool transfer_text_is_sane(const char *text);

/* transfer_host.c. A key: kind and what of the URL names the peer. */
void host_key(struct strbuf *key, const struct transfer_request *request);
/* The host of a key, made if need be. */
struct host *host_find(struct transfer_client *client, const char *key);
void host_add(struct host *host, struct transfer *transfer);
/* Takes it out, whatever it is doing, and calls its callback with how far it came. */
void host_end(struct host *host, struct transfer *transfer, CURLcode code);
/* Has anything of the message gone to the peer? */
bool host_has_sent(const struct transfer *transfer);
/* Takes it out without a word. */
void host_cancel(struct host *host, struct transfer *transfer);
/* Has it ever answered in HTTP/2? */
bool host_speaks_http2(const struct host *host);
/* All of a client's. */
void hosts_destroy(struct transfer_client *client);

/* transfer_mail.c */
struct mailer *mailer_create(struct transfer_client *client);
/* Ends its threads, without a word to what is under way; returns when they have ended. */
void mailer_destroy(struct mailer **mailer);
void mailer_add(struct mailer *mailer, struct transfer *transfer, const struct transfer_request *request);
bool mailer_has_sent(const struct transfer *transfer);
/* Its time is over: calls its callback. */
void mailer_end_late(struct mailer *mailer, struct transfer *transfer);
/* The transfer gets no word any more. */
void mailer_cancel(struct mailer *mailer, struct transfer *transfer);

#endif
