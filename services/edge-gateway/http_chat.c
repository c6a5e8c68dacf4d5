/* GET /v1/bookings/{id}/chat and GET /v1/me/chats: the archive's pages. */
#include <stdio.h>

#include "acl.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "channel_items.h"
#include "chat_store_item.h"
#include "http_api_priv.h"
#include "http_page.h"
#include "proto/subjects.h"

#define CHATS_DEFAULT 20
#define CHATS_MAX 100
#define REASON_MAX 200

/* --- queries ------------------------------------------------------------------------------------------------------ */

/* As in a subscribe frame: it ends in the audit trail. */
static bool is_reason(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= REASON_MAX && utf8_is_valid(text, length) && !text_has_controls(text);
}

/* NULL: all is well. */
static const char *parse_page(struct http_exchange *exchange, const struct http_request *request)
{
    const char *before = http_query(request, "before"), *after = http_query(request, "after");
    exchange->page.has_before = before != NULL;
    exchange->page.has_after = after != NULL;
    if (before != NULL && after != NULL)
        return "before: cannot be given together with after";
    if (before != NULL && !http_cursor_parse(before, &exchange->page.epoch, &exchange->page.sequence))
        return "before: not a cursor of this server";
    if (after != NULL && !http_cursor_parse(after, &exchange->page.epoch, &exchange->page.sequence))
        return "after: not a cursor of this server";
    if (!http_limit_parse(request, HTTP_PAGE_DEFAULT, HTTP_PAGE_MAX, &exchange->page.limit))
        return "limit: must be a number from 1 to 200";
    const char *reason = http_query(request, "reason");
    if (reason != NULL && !is_reason(reason))
        return "reason: must be a text of 1 to 200 bytes";
    exchange->reason = reason == NULL ? NULL : mem_strdup(reason);
    return NULL;
}

/* --- the archive's answers ---------------------------------------------------------------------------------------- */

static void fail_archive(struct http_exchange *exchange)
{
    http_fail(exchange, ERROR_unavailable, "the archive of chats does not answer");
}

static void write_item(struct json_writer *json, const char *booking_id, const Hansom__StoredChatItem *stored)
{
    char text[CHANNEL_NAME_SIZE];
    snprintf(text, sizeof(text), SUBJECT_CHAT, booking_id);
    json_begin_object(json);
    json_kv_string(json, "channel", text);
    channel_write_place(json, stored->epoch, stored->seq, UNKNOWN_SEQUENCE);
    json_key(json, "data");
    stored_chat_item_write(json, stored);
    json_end_object(json);
}

static void write_cursor(struct json_writer *json, const char *key, uint64_t epoch, uint64_t sequence)
{
    char cursor[HTTP_CURSOR_SIZE];
    http_cursor_format(cursor, epoch, sequence);
    json_kv_string(json, key, epoch == 0 ? NULL : cursor);
}

/* `before` leads to older pages and is null where there are none. `after` leads to newer ones, or is for asking again
 * later: an empty page gives back the one it was asked with. */
static void write_page(struct http_exchange *exchange, const Hansom__ChatHistoryReply *page)
{
    struct json_writer json;
    json_writer_init(&json, &exchange->ready.body);
    bool is_forward = exchange->page.has_after;
    bool has_older = page->n_items > 0 && (page->has_more || is_forward);
    json_begin_object(&json);
    json_kv_string(&json, "booking_id", exchange->id);
    json_key(&json, "messages");
    json_begin_array(&json);
    for (size_t i = 0; i < page->n_items; i++)
        write_item(&json, exchange->id, page->items[i]);
    json_end_array(&json);
    const Hansom__StoredChatItem *first = has_older ? page->items[0] : NULL;
    const Hansom__StoredChatItem *last = page->n_items > 0 ? page->items[page->n_items - 1] : NULL;
    uint64_t asked_epoch = is_forward ? exchange->page.epoch : 0;
    write_cursor(&json, "before", first == NULL ? 0 : first->epoch, first == NULL ? 0 : first->seq);
    write_cursor(&json, "after", last == NULL ? asked_epoch : last->epoch,
                 last == NULL ? exchange->page.sequence : last->seq);
    json_kv_bool(&json, "has_more", page->has_more);
    json_end_object(&json);
}

static void on_page(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct http_exchange *exchange = context;
    exchange->request = NULL;
    Hansom__ChatHistoryReply *page =
        status == BUS_OK ? hansom__chat_history_reply__unpack(NULL, reply->length, reply->data) : NULL;
    if (page == NULL || *page->error_code != '\0') {
        fail_archive(exchange);
    } else {
        write_page(exchange, page);
        http_answer_soon(exchange, 200, JSON_TYPE);
    }
    hansom__chat_history_reply__free_unpacked(page, NULL);
}

static void ask_page(struct http_exchange *exchange)
{
    Hansom__ChatHistoryRequest request = HANSOM__CHAT_HISTORY_REQUEST__INIT;
    Hansom__ChatCursor cursor = HANSOM__CHAT_CURSOR__INIT;
    cursor.epoch = exchange->page.epoch;
    cursor.seq = exchange->page.sequence;
    request.booking_id = exchange->id;
    request.booking_created_at_ms = exchange->entry->booking->created_at_ms;
    request.before = exchange->page.has_before ? &cursor : NULL;
    request.after = exchange->page.has_after ? &cursor : NULL;
    request.limit = exchange->page.limit;
    http_ask(exchange, SUBJECT_RPC_CHAT_HISTORY, &request.base, on_page);
}

/* --- rights ------------------------------------------------------------------------------------------------------- */

static void on_announced(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct http_exchange *exchange = context;
    (void)ack;
    exchange->request = NULL;
    if (status == BUS_OK)
        ask_page(exchange);
    else
        http_fail_bus(exchange);
}

/* As with a subscription: nobody reads a chat without those in it being told. */
static void on_audited(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct http_exchange *exchange = context;
    (void)ack;
    exchange->request = NULL;
    if (status == BUS_OK)
        exchange->request = chat_announce_support(exchange->gateway->bus, exchange->entry->booking, exchange->principal,
                                                  on_announced, exchange);
    else
        http_fail_bus(exchange);
}

static void audit(struct http_exchange *exchange, const struct channel_name *channel)
{
    Hansom__AuditRecord record = HANSOM__AUDIT_RECORD__INIT;
    record.actor_id = exchange->principal->user_id;
    record.actor_role = (Hansom__Role)exchange->principal->role;
    record.action = "read_chat";
    record.channel = (char *)channel->text;
    record.reason = exchange->reason;
    record.at_ms = clock_wall_ms();
    struct strbuf bytes;
    strbuf_init(&bytes, 512);
    MESSAGE_PACK(&bytes, &record);
    exchange->request = bus_store(exchange->gateway->bus, SUBJECT_AUDIT_ACCESS, NULL, BUS_ANY_REVISION, bytes.data,
                                  bytes.length, GATEWAY_REQUEST_TIMEOUT_MS, on_audited, exchange);
    strbuf_finish(&bytes);
}

static void on_booking(void *context, enum bus_status status, const Hansom__Booking *booking)
{
    struct http_exchange *exchange = context;
    struct channel_name channel;
    char text[CHANNEL_NAME_SIZE];
    int length = snprintf(text, sizeof(text), SUBJECT_CHAT, exchange->id);
    ASSERT(channel_parse(text, (size_t)length, &channel));
    bool is_staff = acl_is_staff(exchange->principal);
    if (status != BUS_OK && status != BUS_NOT_FOUND)
        http_fail_bus(exchange);
    else if (booking == NULL)
        http_fail(exchange, ERROR_not_found, "there is no such booking");
    else if (!principal_may(exchange->principal, "subscribe", channel.text) ||
             acl_may_subscribe(exchange->principal, &channel, booking) != ACL_ALLOWED)
        http_fail(exchange, ERROR_forbidden, "not allowed");
    else if (is_staff && exchange->reason == NULL)
        http_fail(exchange, ERROR_bad_request, "reason: support and admin must say why");
    else if (is_staff)
        audit(exchange, &channel);
    else
        ask_page(exchange);
}

void http_get_chat(struct http_exchange *exchange, const struct http_request *request)
{
    const char *problem = parse_page(exchange, request);
    if (problem != NULL) {
        http_fail(exchange, ERROR_bad_request, problem);
        return;
    }
    exchange->entry = booking_acquire(exchange->gateway->bookings, exchange->id);
    booking_when_known(exchange->entry, &exchange->waiter, on_booking, exchange);
}

/* --- GET /v1/me/chats --------------------------------------------------------------------------------------------- */

/* "<milliseconds>.<booking>", so that chats of one moment are told apart; opaque to clients. */
static void format_chats_cursor(char *text, size_t size, const Hansom__ChatSummary *last)
{
    snprintf(text, size, "%lld.%s", (long long)last->last_at_ms, last->booking_id);
}

static bool parse_chats_cursor(const char *text, Hansom__ChatListRequest *message)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15 || text[digits] != '.' || !is_id(text + digits + 1))
        return false;
    message->before_ms = strtoll(text, NULL, 10);
    message->before_booking_id = (char *)text + digits + 1;
    return message->before_ms > 0;
}

static void write_chats(struct http_exchange *exchange, const Hansom__ChatListReply *list)
{
    struct json_writer json;
    char before[24 + ID_SIZE];
    json_writer_init(&json, &exchange->ready.body);
    json_begin_object(&json);
    json_key(&json, "chats");
    json_begin_array(&json);
    for (size_t i = 0; i < list->n_chats; i++) {
        const Hansom__ChatSummary *chat = list->chats[i];
        json_begin_object(&json);
        json_kv_string(&json, "booking_id", chat->booking_id);
        json_kv_time(&json, "last_at", chat->last_at_ms);
        json_kv_uint(&json, "unread", chat->unread);
        json_key(&json, "last_message");
        if (chat->last == NULL)
            json_null(&json);
        else
            write_item(&json, chat->booking_id, chat->last);
        json_end_object(&json);
    }
    json_end_array(&json);
    if (list->has_more)
        format_chats_cursor(before, sizeof(before), list->chats[list->n_chats - 1]);
    json_kv_string(&json, "before", list->has_more ? before : NULL);
    json_end_object(&json);
}

static void on_chats(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct http_exchange *exchange = context;
    exchange->request = NULL;
    Hansom__ChatListReply *list =
        status == BUS_OK ? hansom__chat_list_reply__unpack(NULL, reply->length, reply->data) : NULL;
    if (list == NULL || *list->error_code != '\0') {
        fail_archive(exchange);
    } else {
        write_chats(exchange, list);
        http_answer_soon(exchange, 200, JSON_TYPE);
    }
    hansom__chat_list_reply__free_unpacked(list, NULL);
}

void http_get_my_chats(struct http_exchange *exchange, const struct http_request *request)
{
    Hansom__ChatListRequest message = HANSOM__CHAT_LIST_REQUEST__INIT;
    const char *before = http_query(request, "before");
    if (!http_limit_parse(request, CHATS_DEFAULT, CHATS_MAX, &message.limit)) {
        http_fail(exchange, ERROR_bad_request, "limit: must be a number from 1 to 100");
    } else if (before != NULL && !parse_chats_cursor(before, &message)) {
        http_fail(exchange, ERROR_bad_request, "before: not a cursor of this server");
    } else if (acl_is_staff(exchange->principal)) {
        http_fail(exchange, ERROR_forbidden, "only clients and drivers have chats of their own");
    } else {
        message.user_id = exchange->principal->user_id;
        message.role = (Hansom__Role)exchange->principal->role;
        http_ask(exchange, SUBJECT_RPC_CHAT_LIST, &message.base, on_chats);
    }
}
