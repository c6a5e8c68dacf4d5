#include "chat_find.h"

#include "base/clock.h"
#include "proto/stream_limits.h"
#include "proto/subjects.h"

#define ARCHIVE_TIMEOUT_MS 1000
#define WALK_MAX 2000 /* less than the stream keeps of a chat */

struct chat_find {
    struct gateway *gateway;
    char booking_id[ID_SIZE], message_id[CHAT_ITEM_ID_SIZE];
    uint64_t epoch;
    struct bus_request *request;
    struct bus_walk *walk;
    uint64_t recent_ms;
    bool is_all_in_stream; /* nothing of this chat has left the stream yet */
    unsigned looked_at;
    Hansom__StoredChatItem *found;
    chat_find_cb *callback;
    void *context;
};

void chat_find_cancel(struct chat_find **find_pointer)
{
    struct chat_find *find = *find_pointer;
    *find_pointer = NULL;
    if (find == NULL)
        return;
    bus_request_cancel(&find->request);
    bus_walk_cancel(&find->walk);
    hansom__stored_chat_item__free_unpacked(find->found, NULL);
    mem_free(find);
}

static bool is_change_of(const Hansom__ChatItem *item, const char *message_id)
{
    return item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE && str_equal(item->target_id, message_id);
}

static bool on_walk_item(void *context, const struct bus_message *message)
{
    struct chat_find *find = context;
    Hansom__ChatItem *item = hansom__chat_item__unpack(NULL, message->length, message->data);
    if (item != NULL && find->found == NULL && str_equal(item->message_id, find->message_id)) {
        find->found = hansom__stored_chat_item__unpack(NULL, 0, (const uint8_t *)"");
        find->found->item = item;
        find->found->epoch = find->epoch;
        find->found->seq = message->sequence;
        item = NULL;
    } else if (item != NULL && find->found != NULL && is_change_of(item, find->message_id)) {
        find->found->deleted_seq = message->sequence;
        find->found->deleted_at_ms = item->sent_at_ms;
    }
    hansom__chat_item__free_unpacked(item, NULL);
    if (++find->looked_at < WALK_MAX)
        return true;
    find->walk = NULL;
    find->callback(find->context, BUS_TIMEOUT, NULL);
    return false;
}

static void on_walked(void *context, enum bus_status status)
{
    struct chat_find *find = context;
    find->walk = NULL;
    find->callback(find->context, status, status == BUS_OK ? find->found : NULL);
}

static void walk_from(struct chat_find *find, uint64_t sequence)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_CHAT, find->booking_id);
    find->walk = bus_walk_start(find->gateway->bus, "CHAT", subject, sequence, on_walk_item, on_walked, find);
}

/* True: what is not in the archive yet is too young to matter. */
static bool take_position(const struct chat_find *find, const Hansom__ArchivedUpTo *archived, uint64_t *from_r)
{
    *from_r = archived->seq + 1;
    return archived->age_ms > 0 && archived->age_ms < find->recent_ms;
}

static void on_archive(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct chat_find *find = context;
    find->request = NULL;
    uint64_t from = 1;
    bool is_enough = false;
    Hansom__ChatFindReply *answer =
        status == BUS_OK ? hansom__chat_find_reply__unpack(NULL, reply->length, reply->data) : NULL;
    bool is_answered = answer != NULL && *answer->error_code == '\0';
    if (is_answered) {
        find->found = answer->found;
        answer->found = NULL;
        if (answer->archived != NULL && answer->archived->epoch == find->epoch)
            is_enough = take_position(find, answer->archived, &from);
    }
    hansom__chat_find_reply__free_unpacked(answer, NULL);
    if (is_enough)
        find->callback(find->context, BUS_OK, find->found);
    else if (is_answered || find->is_all_in_stream)
        walk_from(find, from);
    else
        find->callback(find->context, BUS_TIMEOUT, NULL);
}

/* Made after the stream and not longer ago than it keeps things: then it can do without the archive. */
static bool is_all_in_stream(const Hansom__Booking *booking, uint64_t epoch)
{
    return booking->created_at_ms >= (int64_t)epoch &&
           booking->created_at_ms > clock_wall_ms() - CHAT_MAX_AGE_S * 1000ll;
}

struct chat_find *chat_find_start(struct gateway *gateway, const Hansom__Booking *booking, const char *message_id,
                                  uint64_t recent_ms, chat_find_cb *callback, void *context)
{
    struct chat_find *find = mem_alloc(sizeof(*find));
    find->gateway = gateway;
    ASSERT(str_copy(find->booking_id, sizeof(find->booking_id), booking->booking_id));
    ASSERT(str_copy(find->message_id, sizeof(find->message_id), message_id));
    find->epoch = bus_stream_epoch(gateway->bus, "CHAT");
    find->recent_ms = recent_ms;
    find->is_all_in_stream = is_all_in_stream(booking, find->epoch);
    find->callback = callback;
    find->context = context;
    Hansom__ChatFindRequest message = HANSOM__CHAT_FIND_REQUEST__INIT;
    message.booking_id = find->booking_id;
    message.booking_created_at_ms = booking->created_at_ms;
    message.message_id = find->message_id;
    struct strbuf bytes;
    strbuf_init(&bytes, 192);
    MESSAGE_PACK(&bytes, &message);
    find->request = bus_request(gateway->bus, SUBJECT_RPC_CHAT_FIND, bytes.data, bytes.length, ARCHIVE_TIMEOUT_MS,
                                on_archive, find);
    strbuf_finish(&bytes);
    return find;
}
