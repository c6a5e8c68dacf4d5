#ifndef HANSOM_PG_PRIV_H
#define HANSOM_PG_PRIV_H
/* Shared by the files of this folder only. */
#include <libpq-fe.h>

#include "base/heap.h"
#include "base/list.h"
#include "pg/pg.h"

struct pg_result {
    PGresult *raw;
};

/* A query that was sent, or (in pg->refused) one that never will be. */
struct pg_query {
    struct list_node node;
    struct heap_node deadline; /* monotonic ms; not in the heap once it has passed */
    struct pg_connection *connection;
    const char *prepared;   /* its statement, for pg_query_prepared */
    bool is_preparing;      /* the answer to that comes before its own */
    pg_result_cb *callback; /* NULL: nobody waits any more; the answer is thrown away */
    bool is_overdue;        /* the deadline has passed and was told */
    void *context;
    PGresult *result;              /* kept until the server says that the transaction has ended */
    enum pg_status refused_status; /* in pg->refused */
};

/* What this connection has asked the server to prepare. */
#define PREPARED_MAX 16
struct pg_prepared {
    const char *sql; /* NULL: free */
    unsigned number; /* names it: "s<number>" */
};

enum pg_connection_state { PG_CONNECTION_WAITING, PG_CONNECTION_CONNECTING, PG_CONNECTION_READY, PG_CONNECTION_CLOSED };

struct pg_connection {
    struct pg *pg;
    unsigned index;
    enum pg_connection_state state;
    PGconn *conn;    /* NULL while waiting or closed */
    uv_poll_t *poll; /* NULL without a socket; of its own, because closing it takes a turn of the loop */
    int poll_socket;
    uv_timer_t timer; /* until the next attempt, of the attempt, or for an answer that is overdue */
    uint32_t attempt;
    struct list_node in_flight; /* in the order they were sent, which is the order of the answers */
    size_t in_flight_count, overdue_count;
    struct pg_prepared prepared[PREPARED_MAX];
    unsigned prepared_number; /* the last one given */
};

struct pg {
    uv_loop_t *loop;
    char *url;
    const char *options; /* for the server, as on its command line */
    struct pg_connection *connections;
    unsigned connection_count, ready_count;
    struct list_node refused;
    uv_timer_t refused_timer, deadline_timer;
    struct heap deadlines;
    pg_state_cb *on_state;
    void *on_state_context;
    unsigned open_handles;
};

/* pg.c */
void pg_handle_closed(uv_handle_t *handle);
/* Calls back (if somebody still waits) and frees. status PG_OK and PG_FAILED use query->result. */
void pg_query_finish(struct pg_query *query, enum pg_status status);
void pg_connection_became_ready(struct pg *pg);
void pg_connection_was_lost(struct pg *pg);

/* pg_connection.c */
void pg_connection_init(struct pg_connection *connection, struct pg *pg, unsigned index);
void pg_connection_close(struct pg_connection *connection);
/* False: it could not be queued, nothing has happened. */
bool pg_connection_send(struct pg_connection *connection, struct pg_query *query, const char *sql, size_t count,
                        const char *const *parameters);
/* The query's deadline has passed: cut the connection if the answer does not come soon. */
void pg_connection_query_overdue(struct pg_connection *connection);

#endif
