#include "replay.h"

#include "base/clock.h"
#include "chat_settings.h"
#include "proto/stream_limits.h"
#include "proto/subjects.h"

#define ITEMS_MAX 300      /* of a recovery, PROTOCOL section 3 */
#define TAIL_WALK_MAX 2000 /* items that a tail without the archive looks at */
#define EVENTS_TAIL 50
#define ARCHIVE_TIMEOUT_MS 1000
#define LAG_TRIES_MAX 6
#define LAG_RETRY_MS 50 /* times the try */

struct replay_item {
    uint64_t epoch, sequence;
    Hansom__StoredChatItem *chat; /* CHANNEL_CHAT */
    Hansom__UserEvent *event;     /* CHANNEL_EVENTS */
};

struct replay {
    struct subscription *subscription;
    struct replay_since since;
    replay_done_cb *callback;
    void *context;
    struct bus_request *request;
    struct bus_walk *walk;
    struct wheel_timer lag;
    unsigned lag_tries;
    Hansom__ChatOpenReply *archive;
    uint64_t epoch, position;
    bool is_recovering; /* towards `recovered`; else a tail */
    bool has_proof;     /* recovering: nothing can be missing between `since` and the first item */
    unsigned looked_at;
    struct replay_item *items; /* oldest first */
    size_t count, capacity;
};

static void walk_from(struct replay *replay, uint64_t sequence);
static void begin_tail(struct replay *replay);

static struct gateway *gateway_of(const struct replay *replay)
{
    return replay->subscription->session->gateway;
}

static enum channel_kind kind_of(const struct replay *replay)
{
    return replay->subscription->name.kind;
}

/* --- items -------------------------------------------------------------------------------------------------------- */

static void free_item(struct replay_item *item)
{
    hansom__stored_chat_item__free_unpacked(item->chat, NULL);
    hansom__user_event__free_unpacked(item->event, NULL);
}

static void drop_items(struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++)
        free_item(&replay->items[i]);
    replay->count = 0;
}

static void add_item(struct replay *replay, const struct replay_item *item)
{
    if (replay->count == replay->capacity) {
        replay->capacity = replay->capacity == 0 ? 16 : replay->capacity * 2;
        replay->items = mem_realloc(replay->items, replay->capacity * sizeof(*replay->items));
    }
    replay->items[replay->count++] = *item;
}

/* A tail keeps the newest ones. */
static void drop_oldest(struct replay *replay, size_t max)
{
    if (replay->count <= max)
        return;
    size_t extra = replay->count - max;
    for (size_t i = 0; i < extra; i++)
        free_item(&replay->items[i]);
    replay->count = max;
    memmove(replay->items, replay->items + extra, max * sizeof(*replay->items));
}

static Hansom__StoredChatItem *unpack_chat(const struct bus_message *message, uint64_t epoch)
{
    Hansom__ChatItem *item = hansom__chat_item__unpack(NULL, message->length, message->data);
    if (item == NULL)
        return NULL;
    /* Freed by protobuf-c, so made by its allocator. */
    Hansom__StoredChatItem *stored = hansom__stored_chat_item__unpack(NULL, 0, (const uint8_t *)"");
    ASSERT(stored != NULL);
    stored->item = item;
    stored->epoch = epoch;
    stored->seq = message->sequence;
    return stored;
}

/* What was deleted is not shown again, in whatever part of the history it lies, nor what it had been edited to. */
static void apply_deletion(struct replay *replay, const Hansom__ChatItem *deletion)
{
    for (size_t i = 0; i < replay->count; i++) {
        Hansom__StoredChatItem *stored = replay->items[i].chat;
        bool is_edit = stored->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_EDIT;
        if (str_equal(stored->item->message_id, deletion->target_id))
            stored->deleted_at_ms = deletion->sent_at_ms;
        else if (is_edit && *stored->item->content != '\0' && str_equal(stored->item->target_id, deletion->target_id))
            *stored->item->content = '\0';
    }
}

/* The message takes the new content, the edit the old one. */
static void apply_edit(struct replay *replay, Hansom__ChatItem *edit)
{
    for (size_t i = 0; i < replay->count; i++) {
        Hansom__StoredChatItem *stored = replay->items[i].chat;
        if (!str_equal(stored->item->message_id, edit->target_id) || stored->deleted_at_ms > 0)
            continue;
        char *former = stored->item->content;
        stored->item->content = edit->content;
        edit->content = former;
        stored->edited_at_ms = edit->sent_at_ms;
    }
}

/* True: it has done its work on what it changes. In a tail that stands as it is now, in a recovery each change comes
 * too. */
static bool apply_change(struct replay *replay, Hansom__ChatItem *item)
{
    bool is_edit = item->kind == HANSOM__CHAT_KIND__CHAT_KIND_EDIT;
    bool is_deletion = item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE;
    if (is_deletion)
        apply_deletion(replay, item);
    else if (is_edit && !replay->is_recovering)
        apply_edit(replay, item);
    return (is_edit || is_deletion) && !replay->is_recovering;
}

static void take_message(struct replay *replay, const struct bus_message *message)
{
    struct replay_item item = {.epoch = replay->epoch, .sequence = message->sequence};
    if (kind_of(replay) == CHANNEL_CHAT)
        item.chat = unpack_chat(message, replay->epoch);
    else
        item.event = hansom__user_event__unpack(NULL, message->length, message->data);
    replay->position = message->sequence;
    if (item.chat == NULL && item.event == NULL)
        return;
    if (item.chat != NULL && apply_change(replay, item.chat->item))
        free_item(&item);
    else
        add_item(replay, &item);
}

void replay_write_messages(const struct replay *replay, struct json_writer *json, struct expiring *expiring)
{
    int64_t now_ms = clock_wall_ms();
    uint64_t previous = replay->is_recovering ? replay->since.sequence : UNKNOWN_SEQUENCE;
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_item *item = &replay->items[i];
        channel_begin_message(json, &replay->subscription->name, false);
        channel_write_place(json, item->epoch, item->sequence, previous);
        json_key(json, "data");
        if (item->chat != NULL)
            stored_chat_item_write(json, item->chat);
        else
            expiring_write_event(expiring, json, item->event, now_ms);
        json_end_object(json);
        previous = item->sequence;
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void replay_free(struct replay *replay)
{
    bus_request_cancel(&replay->request);
    bus_walk_cancel(&replay->walk);
    timer_wheel_stop(gateway_of(replay)->wheel, &replay->lag);
    drop_items(replay);
    mem_free(replay->items);
    hansom__chat_open_reply__free_unpacked(replay->archive, NULL);
    mem_free(replay);
}

void replay_cancel(struct replay **replay_pointer)
{
    struct replay *replay = *replay_pointer;
    *replay_pointer = NULL;
    if (replay != NULL)
        replay_free(replay);
}

static void note_outcome(const struct replay *replay, enum bus_status status)
{
    enum replay_outcome outcome = status != BUS_OK        ? REPLAY_FAILED
                                  : replay->is_recovering ? REPLAY_RECOVERED
                                                          : REPLAY_TAIL;
    metrics_add(gateway_of(replay)->metrics, METRIC_GATEWAY_REPLAYS, kind_of(replay), outcome, 1);
}

/* The callback may end the session; the replay is then no longer anybody's and is freed here all the same. */
static void fail(struct replay *replay, enum bus_status status)
{
    note_outcome(replay, status);
    replay->callback(replay->context, status, NULL);
}

/* Messages of others that the archive does not count yet. */
static uint32_t count_unread(const struct replay *replay)
{
    const char *user_id = replay->subscription->session->principal->user_id;
    const Hansom__ArchivedUpTo *archived = replay->archive->archived;
    uint64_t from = archived != NULL && archived->epoch == replay->epoch ? archived->seq : 0, read_seq = 0;
    uint32_t unread = replay->archive->unread;
    for (size_t i = 0; i < replay->archive->n_marks; i++) {
        const Hansom__ChatMark *mark = replay->archive->marks[i];
        if (str_equal(mark->user_id, user_id) && mark->epoch == replay->epoch)
            read_seq = mark->read_seq;
    }
    for (size_t i = 0; i < replay->count; i++) {
        const Hansom__StoredChatItem *stored = replay->items[i].chat;
        unread += stored->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE && stored->epoch == replay->epoch &&
                  stored->seq > from && stored->seq > read_seq && stored->deleted_at_ms == 0 &&
                  !str_equal(stored->item->from_id, user_id);
    }
    return unread;
}

static void finish(struct replay *replay)
{
    struct replay_result result = {.epoch = replay->epoch,
                                   .position = replay->position,
                                   .is_recovered = replay->is_recovering,
                                   .archive = replay->archive};
    if (replay->archive != NULL) {
        result.has_unread = true;
        result.unread = count_unread(replay);
    }
    note_outcome(replay, BUS_OK);
    replay->callback(replay->context, BUS_OK, &result);
}

/* --- the stream --------------------------------------------------------------------------------------------------- */

static void on_lag(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct replay *replay = context;
    walk_from(replay, replay->position + 1);
}

static void on_walked(void *context, enum bus_status status)
{
    struct replay *replay = context;
    replay->walk = NULL;
    if (status != BUS_OK) {
        fail(replay, status);
        return;
    }
    if (replay->is_recovering && !replay->has_proof) {
        begin_tail(replay);
        return;
    }
    if (subscription_misses(replay->subscription, replay->position) && replay->lag_tries < LAG_TRIES_MAX) {
        timer_wheel_start(gateway_of(replay)->wheel, &replay->lag,
                          clock_monotonic_ms() + LAG_RETRY_MS * ++replay->lag_tries, on_lag, replay);
        return;
    }
    if (subscription_misses(replay->subscription, replay->position))
        fail(replay, BUS_TIMEOUT);
    else
        finish(replay);
}

static size_t tail_length(const struct replay *replay)
{
    return kind_of(replay) == CHANNEL_CHAT ? (size_t)gateway_of(replay)->chat->settings->chat_tail_messages
                                           : EVENTS_TAIL;
}

/* True: go on. */
static bool recover_item(struct replay *replay, const struct bus_message *message)
{
    if (!replay->has_proof) {
        /* What is there still has everything after it: limits take away the oldest first. */
        replay->has_proof = message->sequence == replay->since.sequence;
        return replay->has_proof;
    }
    if (replay->count == ITEMS_MAX)
        return false;
    take_message(replay, message);
    return true;
}

static bool on_walk_item(void *context, const struct bus_message *message)
{
    struct replay *replay = context;
    if (replay->is_recovering) {
        if (recover_item(replay, message))
            return true;
        replay->walk = NULL;
        begin_tail(replay);
        return false;
    }
    take_message(replay, message);
    drop_oldest(replay, tail_length(replay));
    if (++replay->looked_at < TAIL_WALK_MAX)
        return true;
    replay->walk = NULL;
    fail(replay, BUS_TIMEOUT);
    return false;
}

static void walk_from(struct replay *replay, uint64_t sequence)
{
    char subject[CHANNEL_SUBJECT_SIZE];
    channel_history_subject(&replay->subscription->name, subject);
    replay->walk = bus_walk_start(gateway_of(replay)->bus, channel_history_stream(kind_of(replay)), subject, sequence,
                                  on_walk_item, on_walked, replay);
}

/* --- the archive -------------------------------------------------------------------------------------------------- */

static void take_archive(struct replay *replay, Hansom__ChatOpenReply *reply)
{
    replay->archive = reply;
    for (size_t i = 0; i < reply->n_items; i++) {
        Hansom__StoredChatItem *stored = reply->items[i];
        if (stored->item == NULL)
            continue;
        add_item(replay, &(struct replay_item){.epoch = stored->epoch, .sequence = stored->seq, .chat = stored});
        reply->items[i] = NULL;
    }
    reply->n_items = 0;
    /* Who recovers knows more already: the archive may lag. */
    if (!replay->is_recovering && reply->last_epoch == replay->epoch)
        replay->position = reply->last_seq;
}

static void go_on_after_archive(struct replay *replay)
{
    if (replay->is_recovering) {
        walk_from(replay, replay->since.sequence > 0 ? replay->since.sequence : 1);
        return;
    }
    const Hansom__ArchivedUpTo *archived = replay->archive == NULL ? NULL : replay->archive->archived;
    walk_from(replay, archived != NULL && archived->epoch == replay->epoch ? archived->seq + 1 : 1);
}

static void on_archive(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct replay *replay = context;
    replay->request = NULL;
    Hansom__ChatOpenReply *answer =
        status == BUS_OK ? hansom__chat_open_reply__unpack(NULL, reply->length, reply->data) : NULL;
    if (answer != NULL && *answer->error_code == '\0')
        take_archive(replay, answer);
    else
        hansom__chat_open_reply__free_unpacked(answer, NULL);
    go_on_after_archive(replay);
}

/* An archive that is away only means that the stream is read from further back, and that nothing is said of unread. */
static void ask_archive(struct replay *replay, uint32_t tail)
{
    struct subscription *subscription = replay->subscription;
    Hansom__ChatOpenRequest message = HANSOM__CHAT_OPEN_REQUEST__INIT;
    message.booking_id = subscription->name.id;
    message.booking_created_at_ms = subscription->booking->booking->created_at_ms;
    message.user_id = subscription->session->principal->user_id;
    message.tail = tail;
    struct strbuf bytes;
    strbuf_init(&bytes, 192);
    MESSAGE_PACK(&bytes, &message);
    replay->request = bus_request(gateway_of(replay)->bus, SUBJECT_RPC_CHAT_OPEN, bytes.data, bytes.length,
                                  ARCHIVE_TIMEOUT_MS, on_archive, replay);
    strbuf_finish(&bytes);
}

static void begin(struct replay *replay)
{
    if (kind_of(replay) == CHANNEL_CHAT)
        ask_archive(replay, replay->is_recovering ? 0 : (uint32_t)tail_length(replay));
    else
        go_on_after_archive(replay);
}

static void begin_tail(struct replay *replay)
{
    drop_items(replay);
    hansom__chat_open_reply__free_unpacked(replay->archive, NULL);
    replay->archive = NULL;
    replay->is_recovering = false;
    replay->position = 0;
    begin(replay);
}

/* From the very first item on: only if the stream cannot have let go of anything yet. */
static bool is_whole_history_there(const struct replay *replay)
{
    int64_t now_ms = clock_wall_ms();
    int64_t max_age_ms = (kind_of(replay) == CHANNEL_CHAT ? CHAT_MAX_AGE_S : EVENTS_MAX_AGE_S) * 1000ll;
    const struct booking_entry *entry = replay->subscription->booking;
    bool is_booking_young =
        entry != NULL && entry->booking != NULL && entry->booking->created_at_ms > now_ms - max_age_ms;
    return is_booking_young || (int64_t)replay->epoch > now_ms - max_age_ms;
}

struct replay *replay_start(struct subscription *subscription, const struct replay_since *since,
                            replay_done_cb *callback, void *context)
{
    struct replay *replay = mem_alloc(sizeof(*replay));
    replay->subscription = subscription;
    replay->since = *since;
    replay->callback = callback;
    replay->context = context;
    replay->epoch = bus_stream_epoch(gateway_of(replay)->bus, channel_history_stream(kind_of(replay)));
    replay->is_recovering = since->is_given && since->epoch == replay->epoch;
    if (replay->is_recovering && since->sequence == 0)
        replay->is_recovering = replay->has_proof = is_whole_history_there(replay);
    if (replay->is_recovering)
        replay->position = since->sequence;
    begin(replay);
    return replay;
}
