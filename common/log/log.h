#ifndef HANSOM_LOG_H
#define HANSOM_LOG_H
/*
 * A log line is an event: one JSON object on stdout with "time", "level", "service", "instance", "event" and typed
 * fields. Event names are fixed words in snake_case. No personal data: ids, counts, codes, durations only. Thread-safe.
 *
 *     LOG_INFO("session_closed", LOG_STR("session", id), LOG_INT("code", 4401));
 */
#include "base/base.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_field_kind { LOG_FIELD_END, LOG_FIELD_STRING, LOG_FIELD_INT, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL };

struct log_field {
    enum log_field_kind kind;
    const char *name;
    union {
        const char *string; /* may be NULL: null */
        int64_t integer;
        double real;
        bool boolean;
    } value;
};

#define LOG_STR(field, text) ((struct log_field){.kind = LOG_FIELD_STRING, .name = (field), .value.string = (text)})
#define LOG_INT(field, number)                                                                                         \
    ((struct log_field){.kind = LOG_FIELD_INT, .name = (field), .value.integer = (int64_t)(number)})
#define LOG_DOUBLE(field, number)                                                                                      \
    ((struct log_field){.kind = LOG_FIELD_DOUBLE, .name = (field), .value.real = (number)})
#define LOG_BOOL(field, truth) ((struct log_field){.kind = LOG_FIELD_BOOL, .name = (field), .value.boolean = (truth)})

/* Fields are optional: LOG_INFO("ready"). */
#define LOG_AT(level, event, ...)                                                                                      \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = LOG_FIELD_END}})
#define LOG_DEBUG(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/* Names are copied. Before it, level INFO and service "-". */
void log_setup(enum log_level level, const char *service, const char *instance);
void log_set_level(enum log_level level);
/* Fields end with LOG_FIELD_END. Use the macros. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/*
 * A noisy place: at most `burst` lines per `period_ms`; the first line after a silence carries "suppressed" with how
 * many were left out. Zero-initialise; one per call site; `period_ms` and `burst` in the macro.
 */
struct log_throttle {
    uint64_t window_start_ms;
    uint32_t count, suppressed;
};
/* True if the line may be written now; *suppressed_r is what to report. Not thread-safe: keep it on one thread. */
bool log_throttle_allow(struct log_throttle *throttle, uint64_t now_ms, uint32_t period_ms, uint32_t burst,
                        uint32_t *suppressed_r);

#endif
