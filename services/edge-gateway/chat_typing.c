#include "chat_typing.h"

#include "base/clock.h"
#include "chat_settings.h"
#include "proto/subjects.h"

static bool tell(struct session *session, const char *booking_id, bool is_typing)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_CHAT, booking_id);
    Hansom__ChatItem item = HANSOM__CHAT_ITEM__INIT;
    item.booking_id = (char *)booking_id;
    item.kind = HANSOM__CHAT_KIND__CHAT_KIND_TYPING;
    item.from_id = session->principal->user_id;
    item.from_role = (Hansom__Role)session->principal->role;
    item.typing = is_typing;
    struct strbuf bytes;
    strbuf_init(&bytes, 192);
    MESSAGE_PACK(&bytes, &item);
    bool is_sent = bus_publish(session->gateway->bus, subject, bytes.data, bytes.length);
    strbuf_finish(&bytes);
    return is_sent;
}

void chat_typing_end(struct session *session)
{
    struct chat_typing *typing = &session->typing;
    if (!timer_wheel_is_running(&typing->timeout))
        return;
    timer_wheel_stop(session->gateway->wheel, &typing->timeout);
    /* Lost, it only stands until the readers' own patience ends. */
    (void)tell(session, typing->booking_id, false);
}

static void on_timeout(struct wheel_timer *timer, void *context)
{
    (void)timer;
    struct session *session = context;
    (void)tell(session, session->typing.booking_id, false);
}

bool chat_typing_set(struct session *session, const char *booking_id, bool is_typing)
{
    struct chat_typing *typing = &session->typing;
    const struct chat_settings *settings = session->gateway->chat->settings;
    uint64_t now_ms = clock_monotonic_ms();
    if (!is_typing || !str_equal(typing->booking_id, booking_id))
        chat_typing_end(session);
    if (!is_typing)
        return true;
    bool is_news = now_ms - typing->told_ms >= (uint64_t)settings->chat_typing_interval_ms;
    /* Who ended it may not begin again at once: else two frames in turn would go round the interval. */
    if (!is_news && !timer_wheel_is_running(&typing->timeout))
        return true;
    str_copy(typing->booking_id, sizeof(typing->booking_id), booking_id);
    timer_wheel_start(session->gateway->wheel, &typing->timeout, now_ms + (uint64_t)settings->chat_typing_timeout_ms,
                      on_timeout, session);
    if (!is_news)
        return true;
    typing->told_ms = now_ms;
    return tell(session, booking_id, true);
}
