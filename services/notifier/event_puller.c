#include "event_puller.h"

#include <cjson/cJSON.h>

#include "base/ids.h"
#include "base/utf8.h"
#include "event_intake.h"
#include "log/log.h"
#include "wire/wire.h"

#define OUTSTANDING_BATCHES 4
#define USER_TOKEN 2 /* in.user.{id}.events */
#define REPLY_SIZE 256

struct event_puller {
    struct notifier *app;
    struct bus_pull *pull;
};

struct pulled_event {
    struct event_puller *puller;
    char reply[REPLY_SIZE];
};

static void on_kept(void *context, bool is_kept)
{
    struct pulled_event *pulled = context;
    if (is_kept)
        bus_pull_ack(pulled->puller->pull, pulled->reply);
    mem_free(pulled);
}

static bool is_text(const char *text, size_t max)
{
    size_t length = strlen(text);
    return length <= max && utf8_is_valid(text, length);
}

static bool is_json_object(const char *text)
{
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    bool is_object = cJSON_IsObject(root);
    cJSON_Delete(root);
    return is_object;
}

/* Anybody with the right to may publish here, so nothing is taken for granted. */
static bool is_good(const Hansom__UserEvent *event, const char *subject)
{
    char user_id[ID_SIZE];
    return bus_subject_token(subject, USER_TOKEN, user_id, sizeof(user_id)) && str_equal(event->user_id, user_id) &&
           id_is_valid(event->event_id, strlen(event->event_id)) && id_is_valid(event->type, strlen(event->type)) &&
           is_text(event->collapse_key, ID_LENGTH_MAX) && event->created_at_ms > 0 && event->expires_at_ms >= 0 &&
           (*event->data_json == '\0' || (is_text(event->data_json, SIZE_MAX) && is_json_object(event->data_json)));
}

static void on_pulled(void *context, const struct bus_pulled *pulled)
{
    struct event_puller *puller = context;
    struct notifier *app = puller->app;
    const struct bus_message *message = &pulled->message;
    Hansom__UserEvent *event = hansom__user_event__unpack(NULL, message->length, message->data);
    if (event == NULL || !is_good(event, message->subject)) {
        LOG_ERROR("event_not_understood", LOG_STR("subject", message->subject), LOG_INT("seq", message->sequence));
        metrics_add(app->metrics, METRIC_NOTIFY_MALFORMED, NOTIFIER_EVENTS, 0, 1);
        hansom__user_event__free_unpacked(event, NULL);
        bus_pull_ack(puller->pull, message->reply);
        return;
    }
    struct pulled_event *kept = mem_alloc(sizeof(*kept));
    kept->puller = puller;
    ASSERT(str_copy(kept->reply, sizeof(kept->reply), message->reply));
    event_intake_add(app->intake, event, bus_stream_epoch(app->bus, STREAM_EVENTS), message->sequence, on_kept, kept);
}

struct event_puller *event_puller_create(struct notifier *app)
{
    struct event_puller *puller = mem_alloc(sizeof(*puller));
    puller->app = app;
    puller->pull = bus_pull_create(app->bus, STREAM_EVENTS, CONSUMER_NOTIFIER,
                                   (unsigned)app->settings->batch * OUTSTANDING_BATCHES, on_pulled, puller);
    return puller;
}

void event_puller_bus_state(struct event_puller *puller, enum bus_state state)
{
    bus_pull_bus_state(puller->pull, state);
}

void event_puller_drain(struct event_puller *puller)
{
    bus_pull_stop(puller->pull);
}

void event_puller_destroy(struct event_puller **puller_pointer)
{
    struct event_puller *puller = *puller_pointer;
    *puller_pointer = NULL;
    if (puller == NULL)
        return;
    bus_pull_destroy(&puller->pull);
    mem_free(puller);
}
