#ifndef HANSOM_CHAT_STORE_H
#define HANSOM_CHAT_STORE_H
/* What the parts of the service share. One loop, one thread owns all of it. */
#include "bus/bus.h"
#include "chat_store_metrics.h"
#include "chat_store_settings.h"
#include "pg/pg.h"
#include "proto/bus.pb-c.h"
#include "service/service.h"

/* Batches that are with the database at a time, each on a connection of its own. */
#define ARCHIVE_BATCHES 2

struct archiver;
struct marks_archiver;
struct archive_floor;
struct questions;
struct eraser;
struct pg_job;

struct chat_store {
    struct service *service;
    const struct chat_store_settings *settings;
    struct metrics *metrics;
    struct bus *bus;
    struct pg *archive_pg; /* ARCHIVE_BATCHES connections, so that questions never wait behind a batch */
    struct pg *query_pg;
    struct archive_floor *floor;
    struct archiver *archiver;
    struct marks_archiver *marks;
    struct questions *questions;
    struct eraser *eraser;
    struct pg_job *housekeeping;
};

#define STREAM_CHAT "CHAT"
#define STREAM_MARKS "CHAT_MARKS"
#define CONSUMER_ARCHIVE "archive"

static inline uint32_t query_timeout_ms(const struct chat_store *store)
{
    return (uint32_t)store->settings->query_timeout_ms;
}

#endif
