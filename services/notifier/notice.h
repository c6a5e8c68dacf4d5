#ifndef HANSOM_NOTICE_H
#define HANSOM_NOTICE_H
/* What is sent to somebody over one channel, and what became of an attempt. Pure data, shared by core and providers. */
#include "base/base.h"

enum channel {
    CHANNEL_NONE,
#define CHANNEL(id, name, number, is_device) CHANNEL_##id = (number),
#include "channels.def"
    CHANNEL_END, /* one above the last */
};
/* "fcm"; the numbers' names, index 0 "none", NULL-terminated: also a metrics label. */
extern const char *const channel_names[];
/* CHANNEL_NONE: there is no such name. */
enum channel channel_from_name(const char *name);
bool channel_is_device(enum channel channel);

enum failure {
#define FAILURE(id, help) FAILURE_##id,
#include "failure_reasons.def"
    FAILURE_COUNT,
};
extern const char *const failure_names[]; /* NULL-terminated */

/* All strings are zero-terminated UTF-8, never NULL, and live until the attempt has ended. */
struct notice {
    uint64_t delivery_id;
    unsigned attempt; /* from 1 */
    enum channel channel;
    const char *user_id, *event_id, *type;
    const char *data_json;    /* the event's data, one JSON object */
    const char *collapse_key; /* "type.key": on a phone only the same type replaces; "": none */
    const char *device_id;    /* "": not a device */
    const char *target;       /* token, PushSubscription JSON, E.164 number, e-mail address; "" for the webhook */
    const char *title, *body; /* in the user's language; title is an e-mail's subject, body an SMS's text */
    bool is_critical;
    bool is_silent;                 /* wakes the app, shows nothing: title and body are "" */
    int64_t created_ms, expires_ms; /* wall clock; expires_ms is always set (the event's own, or the default life) */
    uint32_t badge;                 /* events of the user that nobody has acknowledged */
};

enum verdict {
    VERDICT_ACCEPTED, /* the provider has taken it over */
    VERDICT_RETRY,    /* not taken, or not known; the same may succeed later */
    VERDICT_LATER,    /* there was no place for it: it was no attempt */
    VERDICT_REJECTED, /* will never be taken */
    VERDICT_DEAD,     /* rejected, and whatever else goes to this target would be too */
};

#define PROVIDER_ID_SIZE 128
struct outcome {
    enum verdict verdict;
    enum failure failure;    /* FAILURE_none exactly when accepted */
    bool is_uncertain;       /* it may have been taken all the same */
    bool is_provider_fault;  /* counts towards the provider's circuit breaker */
    bool is_strangers;       /* a server that is not the provider's own answered: says nothing about the provider */
    int status;              /* HTTP or SMTP status, 0: none came */
    uint64_t retry_after_ms; /* the provider's wish, 0: none */
    int64_t dead_since_ms;   /* VERDICT_DEAD: when the provider learnt it, 0: not said. A later registration lives. */
    char provider_id[PROVIDER_ID_SIZE]; /* the provider's name for the message, "" if none */
};

/* RFC 9562 version 8 UUID made from a delivery's id: the same for each of its attempts. */
#define DELIVERY_UUID_SIZE 37
void delivery_uuid(uint64_t delivery_id, char text[DELIVERY_UUID_SIZE]);

#endif
