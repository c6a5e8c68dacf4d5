#include "chat_watch.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json_writer.h"
#include "base/list.h"
#include "event_intake.h"
#include "log/log.h"
#include "proto/subjects.h"
#include "wire/wire.h"

#define OUTSTANDING_MAX 1000
#define PACE_MS 50 /* who leaves sooner after a message has hardly seen it */
#define ASK_TIMEOUT_MS 1000
#define REPLY_SIZE 256
#define RECIPIENTS_MAX 2

struct chat_watch {
    struct notifier *app;
    struct bus_pull *pull;
    struct list_node open; /* struct letter that wait for presence */
};

/* One message, and whom it is for. It is acknowledged when every recipient is known to be there or has their event. */
struct letter {
    struct list_node node;
    struct chat_watch *watch;
    Hansom__ChatItem *item;
    char reply[REPLY_SIZE];
    struct recipient {
        struct letter *letter;
        const char *user_id;
        struct bus_request *request;
    } recipients[RECIPIENTS_MAX];
    unsigned pending;
    bool is_given_up; /* the service ends: it comes again */
};

static void finish_one(struct letter *letter)
{
    if (--letter->pending > 0)
        return;
    if (!letter->is_given_up)
        bus_pull_ack(letter->watch->pull, letter->reply);
    list_remove(&letter->node);
    hansom__chat_item__free_unpacked(letter->item, NULL);
    mem_free(letter);
}

static void on_kept(void *context, bool is_kept)
{
    struct letter *letter = context;
    letter->is_given_up |= !is_kept;
    finish_one(letter);
}

/* For protobuf-c's allocator. */
static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy != NULL);
    return copy;
}

static char *data_of(const Hansom__ChatItem *item)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 192);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "booking_id", item->booking_id);
    json_kv_string(&json, "message_id", item->message_id);
    json_kv_string(&json, "from_role", role_text(item->from_role));
    json_end_object(&json);
    char *data = copy_text(text.data);
    strbuf_finish(&text);
    return data;
}

/* The message's id may be as long as an event's may be: hashes stand for booking and message. */
static Hansom__UserEvent *event_for(const Hansom__ChatItem *item, const char *user_id, int64_t life_ms)
{
    Hansom__UserEvent *event = hansom__user_event__unpack(NULL, 0, (const uint8_t *)"");
    char id[ID_SIZE];
    ASSERT(event != NULL);
    snprintf(id, sizeof(id), "chat-%016llx-%016llx",
             (unsigned long long)hash_fnv1a64(item->booking_id, strlen(item->booking_id)),
             (unsigned long long)hash_fnv1a64(item->message_id, strlen(item->message_id)));
    event->user_id = copy_text(user_id);
    event->event_id = copy_text(id);
    event->type = copy_text("chat_message");
    event->data_json = data_of(item);
    event->collapse_key = copy_text(strlen(item->booking_id) <= ID_LENGTH_MAX ? item->booking_id : "");
    event->created_at_ms = item->sent_at_ms;
    event->expires_at_ms = item->sent_at_ms + life_ms;
    return event;
}

static bool is_connected(enum bus_status status, const struct bus_message *reply)
{
    Hansom__Members *members = status == BUS_OK ? hansom__members__unpack(NULL, reply->length, reply->data) : NULL;
    bool is_there = members != NULL && members->n_members > 0;
    hansom__members__free_unpacked(members, NULL);
    return is_there;
}

static void on_presence(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct recipient *recipient = context;
    struct letter *letter = recipient->letter;
    struct notifier *app = letter->watch->app;
    recipient->request = NULL;
    if (is_connected(status, reply)) {
        finish_one(letter);
        return;
    }
    event_intake_add(app->intake, event_for(letter->item, recipient->user_id, app->settings->chat_life_s * 1000), 0, 0,
                     on_kept, letter);
}

static void ask(struct letter *letter, const char *user_id)
{
    char subject[SUBJECT_SIZE];
    if (*user_id == '\0' || str_equal(user_id, letter->item->from_id))
        return;
    struct recipient *recipient = &letter->recipients[letter->pending++];
    snprintf(subject, sizeof(subject), SUBJECT_RPC_MEMBER, (unsigned)partition_of(user_id), user_id);
    recipient->letter = letter;
    recipient->user_id = user_id;
    recipient->request = bus_request(letter->watch->app->bus, subject, "", 0, ASK_TIMEOUT_MS, on_presence, recipient);
}

static bool is_wanted(const struct chat_watch *watch, const Hansom__ChatItem *item)
{
    int64_t age_ms = clock_wall_ms() - item->sent_at_ms;
    return item->kind == HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE && age_ms < watch->app->settings->chat_life_s * 1000;
}

static void on_pulled(void *context, const struct bus_pulled *pulled)
{
    struct chat_watch *watch = context;
    const struct bus_message *message = &pulled->message;
    Hansom__ChatItem *item = hansom__chat_item__unpack(NULL, message->length, message->data);
    if (item == NULL) {
        LOG_ERROR("chat_not_understood", LOG_INT("seq", message->sequence));
        metrics_add(watch->app->metrics, METRIC_NOTIFY_MALFORMED, NOTIFIER_CHAT, 0, 1);
    }
    if (item == NULL || !is_wanted(watch, item)) {
        bus_pull_ack(watch->pull, message->reply);
        hansom__chat_item__free_unpacked(item, NULL);
        return;
    }
    struct letter *letter = mem_alloc(sizeof(*letter));
    letter->watch = watch;
    letter->item = item;
    ASSERT(str_copy(letter->reply, sizeof(letter->reply), message->reply));
    list_append(&watch->open, &letter->node);
    letter->pending = 0;
    ask(letter, item->client_id);
    ask(letter, item->driver_id);
    if (letter->pending == 0) {
        letter->pending = 1;
        finish_one(letter);
    }
}

struct chat_watch *chat_watch_create(struct notifier *app)
{
    struct chat_watch *watch = mem_alloc(sizeof(*watch));
    watch->app = app;
    list_init(&watch->open);
    watch->pull = bus_pull_create(app->bus, STREAM_CHAT, CONSUMER_NOTIFIER, OUTSTANDING_MAX, on_pulled, watch);
    bus_pull_set_pace(watch->pull, PACE_MS);
    return watch;
}

void chat_watch_bus_state(struct chat_watch *watch, enum bus_state state)
{
    bus_pull_bus_state(watch->pull, state);
}

void chat_watch_drain(struct chat_watch *watch)
{
    bus_pull_stop(watch->pull);
}

void chat_watch_destroy(struct chat_watch **watch_pointer)
{
    struct chat_watch *watch = *watch_pointer;
    *watch_pointer = NULL;
    if (watch == NULL)
        return;
    /* Those whose events are with the intake were ended by its end, which comes before this one. */
    while (!list_is_empty(&watch->open)) {
        struct letter *letter = CONTAINER_OF(watch->open.next, struct letter, node);
        for (unsigned i = 0; i < RECIPIENTS_MAX; i++)
            bus_request_cancel(&letter->recipients[i].request);
        letter->is_given_up = true;
        letter->pending = 1;
        finish_one(letter);
    }
    bus_pull_destroy(&watch->pull);
    mem_free(watch);
}
