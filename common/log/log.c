#include "log/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_writer.h"

static atomic_int minimum_level = LOG_LEVEL_INFO;
static char service_name[64] = "-", instance_name[128] = "-";

void log_setup(enum log_level level, const char *service, const char *instance)
{
    log_set_level(level);
    str_copy(service_name, sizeof(service_name), service);
    str_copy(instance_name, sizeof(instance_name), instance);
}

void log_set_level(enum log_level level)
{
    atomic_store(&minimum_level, (int)level);
}

static void write_field(struct json_writer *json, const struct log_field *field)
{
    json_key(json, field->name);
    switch (field->kind) {
    case LOG_FIELD_STRING:
        json_string(json, field->value.string);
        break;
    case LOG_FIELD_INT:
        json_int(json, field->value.integer);
        break;
    case LOG_FIELD_DOUBLE:
        json_double(json, field->value.real, 6);
        break;
    case LOG_FIELD_BOOL:
        json_bool(json, field->value.boolean);
        break;
    case LOG_FIELD_END:
        break;
    }
}

static void write_all(const char *bytes, size_t length)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break; /* there is nowhere to say it */
        bytes += written;
        length -= (size_t)written;
    }
    pthread_mutex_unlock(&lock);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    static const char *const level_names[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load_explicit(&minimum_level, memory_order_relaxed))
        return;
    struct strbuf line;
    struct json_writer json;
    strbuf_init(&line, 256);
    json_writer_init(&json, &line);
    json_begin_object(&json);
    json_kv_time(&json, "time", clock_wall_ms());
    json_kv_string(&json, "level", level_names[level]);
    json_kv_string(&json, "service", service_name);
    json_kv_string(&json, "instance", instance_name);
    json_kv_string(&json, "event", event);
    for (; fields->kind != LOG_FIELD_END; fields++)
        write_field(&json, fields);
    json_end_object(&json);
    strbuf_append_char(&line, '\n');
    write_all(line.data, line.length);
    strbuf_finish(&line);
}

bool log_throttle_allow(struct log_throttle *throttle, uint64_t now_ms, uint32_t period_ms, uint32_t burst,
                        uint32_t *suppressed_r)
{
    *suppressed_r = 0;
    if (throttle->window_start_ms == 0 || now_ms - throttle->window_start_ms >= period_ms) {
        *suppressed_r = throttle->suppressed;
        *throttle = (struct log_throttle){.window_start_ms = now_ms};
    }
    if (throttle->count++ < burst)
        return true;
    throttle->suppressed++;
    return false;
}
