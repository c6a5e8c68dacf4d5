/*
 * A publish to a chat: content rules, booking, rights, idempotence, then the stream. What a session writes to its chats
 * is stored in the order it was sent, although some of it has to be looked up first.
 */
#include "base/clock.h"
#include "chat_find.h"
#include "chat_settings.h"
#include "chat_store_item.h"
#include "chat_typing.h"
#include "content_text.h"
#include "hub.h"
#include "proto/stream_limits.h"
#include "proto/subjects.h"
#include "publish.h"

/* An id that was made this short ago, clocks being wrong by as much, is still within the stream's window if it has been
 * used before: nothing need be looked up. */
#define FRESH_ID_MS (CHAT_DUPLICATE_WINDOW_S * 1000ll / 3)

struct chat_flow {
    struct flow flow;
    struct list_node in_line; /* of the session's line, until it is handed to the stream */
    struct session *session;
    uint32_t id;
    struct channel_name channel;
    struct booking_entry *entry;
    struct booking_waiter waiter;
    struct chat_find *find;
    struct bus_request *request;
    Hansom__ChatItem *item; /* strings that are not the booking's or the principal's are its own */
    char item_id[CHAT_ITEM_ID_SIZE];
    bool has_client_id, is_ready;
    uint64_t started_ms, sequence;
};

static void run_line(struct session *session);

/* --- life --------------------------------------------------------------------------------------------------------- */

/* What was borrowed is given back before protobuf-c frees the rest. */
static void free_item(Hansom__ChatItem *item)
{
    static char *const empty = (char *)protobuf_c_empty_string;
    item->booking_id = item->client_id = item->driver_id = item->from_id = item->message_id = empty;
    hansom__chat_item__free_unpacked(item, NULL);
}

static void flow_free(struct chat_flow *flow)
{
    list_remove(&flow->flow.node);
    list_remove(&flow->in_line);
    booking_wait_cancel(&flow->waiter);
    booking_release(&flow->entry);
    chat_find_cancel(&flow->find);
    bus_request_cancel(&flow->request);
    free_item(flow->item);
    mem_free(flow);
}

static void flow_cancel(struct flow *flow)
{
    flow_free(CONTAINER_OF(flow, struct chat_flow, flow));
}

/* Ends the flow before the answer is sent: an answer may close the session, which would free it too. */
static struct session *leave(struct chat_flow *flow)
{
    struct session *session = flow->session;
    flow_free(flow);
    return session;
}

static void go_on(struct session *session)
{
    if (session->state < SESSION_CLOSING)
        run_line(session);
}

static void fail(struct chat_flow *flow, enum chat_refusal why, enum error_code code, const char *message)
{
    uint32_t id = flow->id;
    struct session *session = leave(flow);
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_CHAT_REFUSED, why, 0, 1);
    session_send_error(session, id, code, message, 0);
    go_on(session);
}

static void fail_bus(struct chat_flow *flow, enum bus_status status)
{
    uint32_t id = flow->id;
    struct session *session = leave(flow);
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_CHAT_REFUSED, CHAT_REFUSED_UNAVAILABLE, 0, 1);
    reply_bus_error(session, id, status);
    go_on(session);
}

static void succeed_plainly(struct chat_flow *flow)
{
    uint32_t id = flow->id;
    struct session *session = leave(flow);
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_PUBLISHES, CHANNEL_CHAT, 0, 1);
    reply_empty(session, id);
}

static void write_masked(struct json_writer *json, uint32_t masked)
{
    json_key(json, "masked");
    json_begin_array(json);
    for (unsigned i = 0; i < CONTENT_FINDING_COUNT; i++)
        if ((masked & 1u << i) != 0)
            json_string(json, content_finding_name((enum content_finding)i));
    json_end_array(json);
}

static void write_place(struct json_writer *json, uint64_t epoch, uint64_t sequence)
{
    char text[EPOCH_TEXT_SIZE];
    epoch_format(epoch, text);
    json_kv_uint(json, "seq", sequence);
    json_kv_string(json, "epoch", text);
}

/* stored: as it lies in the stream or the archive. */
static void succeed(struct chat_flow *flow, uint64_t epoch, uint64_t sequence, const Hansom__ChatItem *stored)
{
    bool is_message = stored->kind == HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE;
    struct reply reply;
    reply_begin(&reply, flow->id);
    write_place(&reply.json, epoch, sequence);
    json_kv_string(&reply.json, "message_id", is_message ? stored->message_id : stored->target_id);
    json_kv_time(&reply.json, "sent_at", stored->sent_at_ms);
    if (stored->masked != 0)
        write_masked(&reply.json, stored->masked);
    struct session *session = leave(flow);
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_PUBLISHES, CHANNEL_CHAT, 0, 1);
    reply_send(&reply, session);
    go_on(session);
}

/* --- into the stream ---------------------------------------------------------------------------------------------- */

static void check_stored_before(struct chat_flow *flow, uint64_t epoch, uint64_t sequence,
                                const Hansom__ChatItem *stored)
{
    if (str_equal(stored->from_id, flow->session->principal->user_id))
        succeed(flow, epoch, sequence, stored);
    else
        fail(flow, CHAT_REFUSED_RIGHTS, ERROR_conflict, "data.message_id: is somebody else's");
}

static void on_stored_before(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct chat_flow *flow = context;
    flow->request = NULL;
    bool is_there = status == BUS_OK && reply->sequence == flow->sequence;
    Hansom__ChatItem *stored = is_there ? hansom__chat_item__unpack(NULL, reply->length, reply->data) : NULL;
    if (stored != NULL)
        check_stored_before(flow, bus_stream_epoch(flow->session->gateway->bus, "CHAT"), flow->sequence, stored);
    else
        fail_bus(flow, status == BUS_OK || status == BUS_NOT_FOUND ? BUS_TIMEOUT : status);
    hansom__chat_item__free_unpacked(stored, NULL);
}

/* It had been stored already: what holds is what was stored then. */
static void read_stored_before(struct chat_flow *flow, uint64_t sequence)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_CHAT, flow->channel.id);
    flow->sequence = sequence;
    flow->request = bus_get_next(flow->session->gateway->bus, "CHAT", subject, sequence, GATEWAY_REQUEST_TIMEOUT_MS,
                                 on_stored_before, flow);
}

static void note_stored(struct chat_flow *flow)
{
    struct metrics *metrics = flow->session->gateway->metrics;
    metrics_observe(metrics, METRIC_GATEWAY_CHAT_ACK, 0, 0, (double)(clock_monotonic_ms() - flow->started_ms) / 1000);
    for (unsigned i = 0; i < CONTENT_FINDING_COUNT; i++)
        if ((flow->item->masked & 1u << i) != 0)
            metrics_add(metrics, METRIC_GATEWAY_CHAT_MASKED, i, 0, 1);
}

static void on_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct chat_flow *flow = context;
    flow->request = NULL;
    if (status != BUS_OK) {
        fail_bus(flow, status);
    } else if (ack->is_duplicate) {
        read_stored_before(flow, ack->sequence);
    } else {
        note_stored(flow);
        succeed(flow, bus_stream_epoch(flow->session->gateway->bus, "CHAT"), ack->sequence, flow->item);
    }
}

static void store(struct chat_flow *flow)
{
    struct session *session = flow->session;
    Hansom__ChatItem *item = flow->item;
    list_remove(&flow->in_line);
    chat_stamp_booking(item, flow->entry->booking);
    item->message_id = flow->item_id;
    item->from_id = session->principal->user_id;
    item->from_role = (Hansom__Role)session->principal->role;
    item->sent_at_ms = clock_wall_ms();
    flow->request = chat_store_item(session->gateway->bus, item, on_stored, flow);
}

static void run_line(struct session *session)
{
    while (!list_is_empty(&session->chat_line)) {
        struct chat_flow *first = CONTAINER_OF(session->chat_line.next, struct chat_flow, in_line);
        if (!first->is_ready)
            return;
        store(first);
    }
}

static void ready(struct chat_flow *flow)
{
    flow->is_ready = true;
    run_line(flow->session);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void on_found_message(void *context, enum bus_status status, const Hansom__StoredChatItem *found)
{
    struct chat_flow *flow = context;
    if (status != BUS_OK) {
        fail_bus(flow, status);
    } else if (found != NULL) {
        check_stored_before(flow, found->epoch, found->seq, found->item);
    } else {
        chat_find_cancel(&flow->find);
        ready(flow);
    }
}

static bool is_fresh(const char *id)
{
    int64_t made_ms = 0, now_ms = clock_wall_ms();
    return uuid7_time(id, &made_ms) && made_ms > now_ms - FRESH_ID_MS && made_ms < now_ms + FRESH_ID_MS;
}

static void prepare_message(struct chat_flow *flow)
{
    chat_typing_end(flow->session);
    if (!flow->has_client_id)
        uuid7_generate(flow->item_id, clock_wall_ms());
    if (!flow->has_client_id || is_fresh(flow->item_id))
        ready(flow);
    else
        flow->find = chat_find_start(flow->session->gateway, flow->entry->booking, flow->item_id, FRESH_ID_MS,
                                     on_found_message, flow);
}

/* --- edits and deletions ------------------------------------------------------------------------------------------ */

static const char *objection_to_change(const struct chat_flow *flow, const Hansom__StoredChatItem *found)
{
    const struct session *session = flow->session;
    bool is_own = str_equal(found->item->from_id, session->principal->user_id);
    bool is_delete = flow->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE;
    int64_t window_ms = session->gateway->chat->settings->chat_edit_window_s * 1000;
    if (is_delete && acl_is_staff(session->principal))
        return NULL;
    if (!is_own)
        return "data.message_id: is somebody else's";
    return clock_wall_ms() - found->item->sent_at_ms > window_ms ? "data.message_id: is too old to be changed" : NULL;
}

static void on_found_target(void *context, enum bus_status status, const Hansom__StoredChatItem *found)
{
    struct chat_flow *flow = context;
    bool is_delete = flow->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE;
    bool is_message = found != NULL && found->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE;
    const char *objection = is_message ? objection_to_change(flow, found) : NULL;
    if (status != BUS_OK)
        fail_bus(flow, status);
    else if (!is_message)
        fail(flow, CHAT_REFUSED_RIGHTS, ERROR_not_found, "data.message_id: there is no such message");
    else if (objection != NULL)
        fail(flow, CHAT_REFUSED_RIGHTS, ERROR_forbidden, objection);
    else if (found->deleted_seq > 0 && !is_delete)
        fail(flow, CHAT_REFUSED_RIGHTS, ERROR_conflict, "data.message_id: was deleted");
    else if (found->deleted_seq > 0)
        succeed(flow, found->epoch, found->deleted_seq,
                &(Hansom__ChatItem){.target_id = flow->item->target_id, .sent_at_ms = found->deleted_at_ms});
    else {
        chat_find_cancel(&flow->find);
        ready(flow);
    }
}

static void prepare_change(struct chat_flow *flow)
{
    if (flow->item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE)
        snprintf(flow->item_id, sizeof(flow->item_id), "delete.%s", flow->item->target_id);
    else
        uuid7_generate(flow->item_id, clock_wall_ms());
    flow->find =
        chat_find_start(flow->session->gateway, flow->entry->booking, flow->item->target_id, 0, on_found_target, flow);
}

/* --- receipts and typing ------------------------------------------------------------------------------------------ */

static void on_mark_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct chat_flow *flow = context;
    (void)ack;
    flow->request = NULL;
    if (status == BUS_OK)
        succeed_plainly(flow);
    else
        fail_bus(flow, status);
}

static void store_mark(struct chat_flow *flow, uint64_t last_sequence)
{
    struct session *session = flow->session;
    Hansom__ChatItem *item = flow->item;
    if (item->up_to_seq > last_sequence) {
        fail(flow, CHAT_REFUSED_CONTENT, ERROR_bad_request, "data.up_to_seq: is above the last message");
        return;
    }
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_MARK, flow->channel.id);
    chat_stamp_booking(item, flow->entry->booking);
    item->from_id = session->principal->user_id;
    item->from_role = (Hansom__Role)session->principal->role;
    item->epoch = bus_stream_epoch(session->gateway->bus, "CHAT");
    struct strbuf bytes;
    strbuf_init(&bytes, 192);
    MESSAGE_PACK(&bytes, item);
    flow->request = bus_store(session->gateway->bus, subject, NULL, BUS_ANY_REVISION, bytes.data, bytes.length,
                              GATEWAY_REQUEST_TIMEOUT_MS, on_mark_stored, flow);
    strbuf_finish(&bytes);
}

static void on_last(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct chat_flow *flow = context;
    flow->request = NULL;
    if (status == BUS_OK || status == BUS_NOT_FOUND)
        store_mark(flow, status == BUS_OK ? reply->sequence : 0);
    else
        fail_bus(flow, status);
}

static void prepare_receipt(struct chat_flow *flow)
{
    const struct subscription *subscription = subscription_find(flow->session, flow->channel.text);
    uint64_t last = subscription == NULL ? 0 : subscription_position(subscription);
    if (flow->item->up_to_seq <= last) {
        store_mark(flow, last);
        return;
    }
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_IN_CHAT, flow->channel.id);
    flow->request =
        bus_get_last(flow->session->gateway->bus, "CHAT", subject, GATEWAY_REQUEST_TIMEOUT_MS, on_last, flow);
}

static void pass_on_typing(struct chat_flow *flow)
{
    if (chat_typing_set(flow->session, flow->channel.id, flow->item->typing))
        succeed_plainly(flow);
    else
        fail_bus(flow, BUS_DISCONNECTED);
}

/* --- rights ------------------------------------------------------------------------------------------------------- */

/* NULL: go on. */
static const char *objection(const struct chat_flow *flow, const Hansom__Booking *booking, enum error_code *code_r)
{
    struct session *session = flow->session;
    enum acl_verdict verdict = acl_may_publish(session->principal, &flow->channel, booking);
    *code_r = verdict == ACL_NOT_FOUND ? ERROR_not_found : ERROR_forbidden;
    if (verdict == ACL_NOT_FOUND)
        return "channel: there is no such booking";
    if (verdict != ACL_ALLOWED)
        return "channel: not allowed";
    if (!acl_chat_is_open(booking, clock_wall_ms(), session->gateway->chat->settings->chat_grace_s * 1000))
        return "channel: the chat has ended and can only be read";
    /* There the reason was given, written down and announced. */
    const struct subscription *subscription = subscription_find(session, flow->channel.text);
    if (acl_is_staff(session->principal) && (subscription == NULL || !subscription->is_replied))
        return "channel: support must subscribe, with a reason, before it writes";
    return NULL;
}

static void on_booking(void *context, enum bus_status status, const Hansom__Booking *booking)
{
    struct chat_flow *flow = context;
    if (status != BUS_OK && status != BUS_NOT_FOUND) {
        fail_bus(flow, status);
        return;
    }
    enum error_code code;
    const char *message = objection(flow, booking, &code);
    if (message != NULL) {
        fail(flow, CHAT_REFUSED_RIGHTS, code, message);
        return;
    }
    switch (flow->item->kind) {
    case HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE:
        prepare_message(flow);
        break;
    case HANSOM__CHAT_KIND__CHAT_KIND_EDIT:
    case HANSOM__CHAT_KIND__CHAT_KIND_DELETE:
        prepare_change(flow);
        break;
    case HANSOM__CHAT_KIND__CHAT_KIND_RECEIPT:
        prepare_receipt(flow);
        break;
    default:
        pass_on_typing(flow);
        break;
    }
}

/* --- the door ----------------------------------------------------------------------------------------------------- */

static bool is_content(const Hansom__ChatItem *item)
{
    return item->kind == HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE || item->kind == HANSOM__CHAT_KIND__CHAT_KIND_EDIT;
}

static bool is_in_order(const Hansom__ChatItem *item)
{
    return is_content(item) || item->kind == HANSOM__CHAT_KIND__CHAT_KIND_DELETE;
}

/* content: well-formed. */
static bool is_blank(const char *content)
{
    struct content_text text;
    content_text_init(&text, content);
    bool is_blank = content_text_is_blank(&text);
    content_text_finish(&text);
    return is_blank;
}

/* A name that holds what is to be masked goes as a whole. */
static bool apply_rules_to_name(const struct chat *chat, Hansom__ChatAttachment *attachment, uint32_t *found_r,
                                char *error, size_t error_size)
{
    struct strbuf name;
    strbuf_init(&name, 64);
    bool is_good = content_rules_apply(chat->rules, attachment->name, &name, found_r, error, error_size);
    if (*found_r != 0)
        attachment->name = (char *)protobuf_c_empty_string;
    strbuf_finish(&name);
    return is_good;
}

static bool apply_rules_to_attachments(const struct chat *chat, Hansom__ChatItem *item, uint32_t *found_r, char *error,
                                       size_t error_size)
{
    for (size_t i = 0; i < item->n_attachments; i++) {
        Hansom__ChatAttachment *attachment = item->attachments[i];
        uint32_t found = 0;
        if (!content_rules_attachment(chat->rules, attachment->url, attachment->content_type, attachment->size_bytes,
                                      error, error_size) ||
            !apply_rules_to_name(chat, attachment, &found, error, error_size))
            return false;
        *found_r |= found;
    }
    return true;
}

/* Puts the content that may be stored in the place of what was written; it lies in `content`. */
static bool apply_rules(const struct chat *chat, Hansom__ChatItem *item, struct strbuf *content, char *error,
                        size_t error_size)
{
    uint32_t found = 0;
    if (!apply_rules_to_attachments(chat, item, &found, error, error_size))
        return false;
    if (!content_rules_apply(chat->rules, item->content, content, &item->masked, error, error_size))
        return false;
    if (item->n_attachments == 0 && is_blank(content->data)) {
        str_copy(error, error_size, "data.content: must not be blank");
        return false;
    }
    item->masked |= found;
    item->content = content->data;
    return true;
}

/* A copy that lives as long as the flow. */
static Hansom__ChatItem *copy_item(const Hansom__ChatItem *item)
{
    struct strbuf bytes;
    strbuf_init(&bytes, 256);
    MESSAGE_PACK(&bytes, item);
    Hansom__ChatItem *copy = hansom__chat_item__unpack(NULL, bytes.length, (const uint8_t *)bytes.data);
    ASSERT(copy != NULL);
    strbuf_finish(&bytes);
    return copy;
}

/* Milliseconds until the next message is allowed. */
static uint64_t slow_mode_wait_ms(struct session *session, const Hansom__ChatItem *item)
{
    uint64_t interval_ms = (uint64_t)session->gateway->chat->settings->chat_slow_mode_ms, now_ms = clock_monotonic_ms();
    uint64_t *last_ms = &session->user->chat_message_ms;
    if (item->kind != HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE || interval_ms == 0)
        return 0;
    if (*last_ms != 0 && now_ms - *last_ms < interval_ms)
        return interval_ms - (now_ms - *last_ms);
    *last_ms = now_ms;
    return 0;
}

static void start(struct session *session, uint32_t id, const struct channel_name *channel, Hansom__ChatItem *item)
{
    struct chat_flow *flow = mem_alloc(sizeof(*flow));
    flow->flow.cancel = flow_cancel;
    flow->session = session;
    flow->id = id;
    flow->channel = *channel;
    flow->started_ms = clock_monotonic_ms();
    flow->has_client_id = *item->message_id != '\0';
    str_copy(flow->item_id, sizeof(flow->item_id), item->message_id);
    item->message_id = (char *)protobuf_c_empty_string;
    flow->item = copy_item(item);
    list_append(&session->flows, &flow->flow.node);
    if (is_in_order(item))
        list_append(&session->chat_line, &flow->in_line);
    flow->entry = booking_acquire(session->gateway->bookings, channel->id);
    booking_when_known(flow->entry, &flow->waiter, on_booking, flow);
}

static void refuse_content(struct session *session, uint32_t id, const char *error)
{
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_CHAT_REFUSED, CHAT_REFUSED_CONTENT, 0, 1);
    session_send_error(session, id, ERROR_bad_request, error, 0);
}

static void accept_item(struct session *session, uint32_t id, const struct channel_name *channel,
                        Hansom__ChatItem *item)
{
    char error[160];
    struct strbuf content;
    strbuf_init(&content, 256);
    uint64_t wait_ms = 0;
    if (is_content(item) && !apply_rules(session->gateway->chat, item, &content, error, sizeof(error))) {
        refuse_content(session, id, error);
    } else if ((wait_ms = slow_mode_wait_ms(session, item)) > 0) {
        metrics_add(session->gateway->metrics, METRIC_GATEWAY_CHAT_REFUSED, CHAT_REFUSED_RATE, 0, 1);
        session_send_error(session, id, ERROR_rate_limited, "channel: slow mode", wait_ms);
    } else {
        start(session, id, channel, item);
    }
    strbuf_finish(&content);
}

void publish_chat(struct session *session, const struct client_frame *frame, const struct channel_name *channel)
{
    Hansom__ChatItem item;
    char error[160];
    if (!chat_item_decode(frame->data, channel->id, &item, error, sizeof(error))) {
        refuse_content(session, frame->id, error);
        return;
    }
    accept_item(session, frame->id, channel, &item);
    chat_item_finish(&item);
}
