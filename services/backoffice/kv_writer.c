#include "kv_writer.h"

#include "base/ids.h"
#include "base/list.h"
#include "log/log.h"

#define TRIES_MAX 8
#define BUCKET_SIZE 32

struct kv_writer {
    struct bus *bus;
    struct pg *pg;
    uint32_t timeout_ms;
    struct list_node writes;
};

struct kv_write {
    struct list_node node;
    struct kv_writer *writer;
    struct bus_request *request;
    char bucket[BUCKET_SIZE], key[ID_SIZE];
    uint64_t version;
    uint64_t (*version_of)(const void *, size_t);
    void *data;
    size_t length;
    const char *note_sql;
    unsigned tries;
    kv_done_cb *callback;
    void *context;
};

static void read_current(struct kv_write *write);

static void free_write(struct kv_write *write)
{
    bus_request_cancel(&write->request);
    list_remove(&write->node);
    mem_free(write->data);
    mem_free(write);
}

static void on_noted(void *context, enum pg_status status, const struct pg_result *result)
{
    (void)context;
    if (status != PG_OK)
        LOG_WARN("kv_write_not_noted", LOG_STR("sqlstate", pg_sqlstate(result)));
}

static void note(const struct kv_write *write)
{
    char version[NUMBER_SIZE];
    const char *const parameters[] = {write->key, number_text(version, (int64_t)write->version)};
    pg_query(write->writer->pg, write->note_sql, ARRAY_LEN(parameters), parameters, write->writer->timeout_ms, on_noted,
             NULL);
}

static void finish(struct kv_write *write, enum bus_status status)
{
    if (status == BUS_OK)
        note(write);
    kv_done_cb *callback = write->callback;
    void *context = write->context;
    free_write(write);
    callback(context, status);
}

static void on_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    (void)ack;
    struct kv_write *write = context;
    write->request = NULL;
    if (status == BUS_CONFLICT && ++write->tries < TRIES_MAX)
        read_current(write);
    else
        finish(write, status);
}

static void store(struct kv_write *write, uint64_t revision)
{
    char subject[BUCKET_SIZE + ID_SIZE + 8];
    snprintf(subject, sizeof(subject), "$KV.%s.%s", write->bucket, write->key);
    write->request = bus_store(write->writer->bus, subject, NULL, revision, write->data, write->length,
                               write->writer->timeout_ms, on_stored, write);
}

static void on_current(void *context, enum bus_status status, const struct bus_message *current)
{
    struct kv_write *write = context;
    write->request = NULL;
    if (status == BUS_NOT_FOUND)
        store(write, 0);
    else if (status != BUS_OK)
        finish(write, status);
    else if (write->version_of(current->data, current->length) >= write->version)
        finish(write, BUS_OK);
    else
        store(write, current->sequence);
}

static void read_current(struct kv_write *write)
{
    write->request =
        bus_kv_get(write->writer->bus, write->bucket, write->key, write->writer->timeout_ms, on_current, write);
}

void kv_write_newer(struct kv_writer *writer, const struct kv_record *record, kv_done_cb *callback, void *context)
{
    struct kv_write *write = mem_alloc(sizeof(*write));
    write->writer = writer;
    ASSERT(str_copy(write->bucket, sizeof(write->bucket), record->bucket));
    ASSERT(str_copy(write->key, sizeof(write->key), record->key));
    write->version = record->version;
    write->version_of = record->version_of;
    write->data = mem_dup(record->data, record->length);
    write->length = record->length;
    write->note_sql = record->note_sql;
    write->callback = callback;
    write->context = context;
    list_append(&writer->writes, &write->node);
    read_current(write);
}

struct kv_writer *kv_writer_create(struct bus *bus, struct pg *pg, uint32_t timeout_ms)
{
    struct kv_writer *writer = mem_alloc(sizeof(*writer));
    writer->bus = bus;
    writer->pg = pg;
    writer->timeout_ms = timeout_ms;
    list_init(&writer->writes);
    return writer;
}

void kv_writer_destroy(struct kv_writer **writer_pointer)
{
    struct kv_writer *writer = *writer_pointer;
    *writer_pointer = NULL;
    if (writer == NULL)
        return;
    while (!list_is_empty(&writer->writes))
        free_write(CONTAINER_OF(writer->writes.next, struct kv_write, node));
    mem_free(writer);
}
